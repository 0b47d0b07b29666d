// What the pages do more of when scripts run: copy, print, local times, quiet countdowns.
// Every page works without this file.

const FORMATS = {
  time: { hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "long" },
  datetime: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
};

export function localTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-style]")) {
    const format = FORMATS[element.dataset.style] ?? FORMATS.datetime;
    const at = new Date(element.dateTime);
    element.textContent = new Intl.DateTimeFormat(document.documentElement.lang, format).format(at);
    element.title = at.toISOString().replace("T", " ").slice(0, 16) + " UTC";
  }
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the permission, or on a page that is not secure, the old way still works.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function copyButtons() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const words = button.textContent;
    button.hidden = false;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      await copyText(button.dataset.copy);
      button.textContent = button.dataset.copied;
      setTimeout(() => (button.textContent = words), 4000);
    });
  }
}

function printButtons() {
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }
}

const SAID_AT = [60, 30, 10];

function clockOf(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// Counts down to ``data-until``; an event ``ended`` tells that it is there. ``clock`` is the time that counts.
export function countdown(element, clock = Date.now) {
  const until = Date.parse(element.dataset.until);
  const says = element.parentElement.querySelector("[data-timer-says]");
  let told = Infinity;
  const tick = () => {
    const left = Math.max(0, Math.ceil((until - clock()) / 1000));
    const words = (text) => element.dataset.words.replace("{}", text);
    element.hidden = false;
    element.textContent = left ? words(clockOf(left)) : element.dataset.then;
    const due = SAID_AT.find((at) => left <= at && told > at && left > at - 5);
    if (due && says) says.textContent = words(`${due} seconds`);
    if (!left && says && told > 0) says.textContent = element.textContent;
    told = left;
    if (left && element.isConnected) setTimeout(tick, 1000 - (clock() % 1000));
    if (!left) element.dispatchEvent(new CustomEvent("ended"));
  };
  tick();
}

function focusHeading() {
  // After a form the news is in the heading, and is read out first; a field that asks for focus has it already. Whoever
  // was quicker than this script stays where they are.
  const heading = document.querySelector("[data-focus]");
  const nowhere = document.activeElement === document.body;
  if (heading && nowhere && !document.querySelector("[autofocus]")) heading.focus();
}

// A second press of the same button sends nothing new; going back makes the form usable again.
function sendOnce() {
  for (const form of document.querySelectorAll("form[method='post']")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
  }
  addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sent;
  });
}

localTimes();
copyButtons();
printButtons();
document.querySelectorAll("[role=timer][data-until]").forEach((element) => countdown(element));
focusHeading();
sendOnce();
