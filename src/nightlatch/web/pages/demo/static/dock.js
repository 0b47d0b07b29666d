// Beside our own pages the demo lays its phone, and why the page is shown. The pages themselves know nothing of it.
import { Phone, stageOf } from "./phone.js";

const here = document.querySelector("[data-phone]");

function whyOf(why) {
  const box = document.createElement("section");
  box.className = "dock-why";
  const heading = document.createElement("h2");
  heading.textContent = `Why? ${why.heading}`;
  box.append(heading);
  for (const reason of why.reasons) {
    const line = document.createElement("p");
    line.className = "small soft";
    const code = document.createElement("code");
    code.textContent = reason.code;
    line.append(code, ` ${reason.detail}`);
    box.append(line);
  }
  return box;
}

if (!here) {
  const stage = await stageOf();
  const dock = document.createElement("aside");
  dock.className = "dock";
  dock.setAttribute("aria-label", "The demo phone");
  const heading = document.createElement("h2");
  heading.className = "visually-hidden";
  heading.textContent = "The demo phone";
  const root = document.createElement("div");
  dock.append(heading, root);
  if (stage.why && location.pathname.startsWith("/prompt/")) dock.append(whyOf(stage.why));
  document.body.append(dock);
  new Phone(root, stage);
}
