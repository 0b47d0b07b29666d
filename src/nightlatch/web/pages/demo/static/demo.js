// The demo's own page: the phone in its pane, and the thief.
import { Phone, stageOf } from "./phone.js";

const stage = await stageOf();
const phone = new Phone(document.querySelector("[data-phone]"), stage);
const form = document.querySelector("#flood");
const told = form.querySelector(".flood-told");
const button = form.querySelector("button");
button.disabled = !phone.account;

function result({ accepted, refused, reasons, sent }) {
  const grid = document.createElement("span");
  grid.className = "flood-grid";
  grid.setAttribute("aria-hidden", "true");
  for (let index = 0; index < sent; index++) {
    const one = document.createElement("i");
    if (index < accepted) one.className = "in";
    grid.append(one);
  }
  const words = document.createElement("strong");
  words.textContent = `${accepted} accepted, ${refused} refused.`;
  const why = document.createElement("span");
  why.className = "small soft";
  why.textContent = Object.entries(reasons)
    .map(([reason, count]) => `${count} × ${reason.replaceAll("_", " ")}`)
    .join(", ");
  return [grid, words, why];
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  delete form.dataset.sent;
  button.disabled = true;
  const body = new URLSearchParams(new FormData(form));
  body.set("code", await phone.unused());
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    told.replaceChildren(...result(await answer.json()));
  } catch {
    told.textContent = "That didn't work. Reload the page and try again.";
  } finally {
    button.disabled = false;
  }
});
