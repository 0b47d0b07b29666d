// One screen at a time, cut from the page's own templates: words stand there, and never in a script.

import { countdown, localTimes } from "../shared/page.js";
import { now } from "./phone.js";

const stage = document.querySelector("[data-stage]");
const spoken = document.querySelector("[data-spoken]");

let shown = null;

export const showing = () => shown;

// Show the screen ``name``. ``slots`` fill in names and times; ``acts`` are what its buttons and forms do.
export function show(name, { slots = {}, acts = {}, until = null, ended = null, error = null } = {}) {
  const screen = document.getElementById(`screen-${name}`).content.cloneNode(true);
  fill(screen, slots);
  wire(screen, acts);
  shown = name;
  stage.dataset.screen = name;
  stage.replaceChildren(screen);
  if (until) timer(until, ended);
  localTimes(stage);
  if (error) fail(error);
  else focus();
}

function fill(root, slots) {
  for (const element of root.querySelectorAll("[data-slot]")) element.textContent = slots[element.dataset.slot] ?? "";
  for (const element of root.querySelectorAll("[data-if]")) element.hidden = !slots[element.dataset.if];
  for (const element of root.querySelectorAll("[data-value]")) element.value = slots[element.dataset.value] ?? "";
}

function wire(root, acts) {
  for (const element of root.querySelectorAll("[data-act]")) {
    const act = acts[element.dataset.act];
    if (!act) {
      element.hidden = true;
    } else if (element.tagName === "FORM") {
      element.addEventListener("submit", (event) => {
        event.preventDefault();
        busy(element, () => act(new FormData(element)));
      });
    } else {
      element.addEventListener("click", () => busy(element, act));
    }
  }
  for (const field of root.querySelectorAll("input[inputmode=numeric]")) {
    field.addEventListener("input", () => {
      const bare = field.value.replace(/[\s\p{Pd}]/gu, "");
      if (bare !== field.value) field.value = bare;
    });
  }
}

// A second press sends nothing new.
async function busy(element, act) {
  if (element.dataset.busy) return;
  element.dataset.busy = "yes";
  try {
    await act();
  } finally {
    delete element.dataset.busy;
  }
}

function timer(until, ended) {
  const element = stage.querySelector("[data-timer]");
  if (!element) return;
  element.dataset.until = until;
  element.addEventListener("ended", () => element.isConnected && ended?.(), { once: true });
  countdown(element, now);
}

function focus() {
  (stage.querySelector("[autofocus]") ?? stage.querySelector("h1"))?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

// Whether the screen of now still stands, at any later time: what waited for the person may have been overtaken.
export function standing() {
  const first = stage.firstElementChild;
  return () => first.isConnected;
}

// Say what is wrong, at the field: the words stand in the template, one for each kind of trouble. ``typed``: whether it is
// in what was typed.
export function fail(kind, { typed = true } = {}) {
  const box = stage.querySelector("[data-error]");
  const words = document.getElementById(`error-${kind}`)?.content.textContent.trim() ?? "";
  const field = stage.querySelector("input");
  if (!box) return;
  box.querySelector("span").textContent = words;
  box.hidden = false;
  for (const way of stage.querySelectorAll(`[data-after="${kind}"]`)) way.hidden = false;
  if (!typed) {
    field?.removeAttribute("aria-invalid");
  } else if (field) {
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", box.id);
    field.focus();
  }
}

export function say(kind) {
  spoken.textContent = document.getElementById(`say-${kind}`)?.content.textContent.trim() ?? "";
}

export function list(name, items) {
  const root = stage.querySelector(`[data-list="${name}"]`);
  root.replaceChildren(
    ...items.map(({ slots, acts = {} }) => {
      const item = document.getElementById(`item-${name}`).content.cloneNode(true);
      fill(item, slots);
      wire(item, acts);
      return item;
    }),
  );
}
