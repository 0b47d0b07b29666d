// A sign-in that waits for this phone: what is asked, yes with the number of the other screen, no, and "that wasn't me".

import { fail, show, standing } from "./screens.js";
import { now } from "./phone.js";
import { Refused, answer } from "./server.js";
import { Unrecognized, unlock } from "./unlocking.js";

const JUST_NOW = 45;
const KINDS = { login: "login", portal: "own-page", manage_factors: "ways" };

// Show what is asked. ``flow.home`` leads back to the list.
export function question(flow, account, asked) {
  const application = asked.application?.name ?? account.organization;
  const kind = Object.hasOwn(KINDS, asked.action) ? KINDS[asked.action] : "action";
  const slots = {
    application,
    person: account.user.name,
    organization: account.organization,
    named: plain(asked.action),
    [kind]: true,
    circumstances: circumstancesOf(asked),
  };
  show("question", {
    slots,
    until: asked.expires_at,
    ended: () => flow.over("expired", slots),
    acts: {
      approve: (form) => {
        const typed = String(form.get("number")).replace(/[\s\p{Pd}]/gu, "");
        if (!/^[0-9]{6}$/.test(typed)) return fail("number-form");
        return send(flow, account, asked, slots, "approve", typed);
      },
      no: () => no(flow, account, asked, slots),
    },
  });
  details(asked.action_details);
}

function no(flow, account, asked, slots) {
  show("no", {
    slots,
    until: asked.expires_at,
    ended: () => flow.over("expired", slots),
    acts: {
      mind: () => send(flow, account, asked, slots, "deny"),
      block: () => send(flow, account, asked, slots, "not_me"),
      back: () => question(flow, account, asked),
    },
  });
}

async function send(flow, account, asked, slots, decision, number) {
  const stands = standing();
  flow.answering(true);
  try {
    const uv = decision === "approve" && (await unlock(account, asked, number));
    // While the platform asked, the time may have run out, or another sign-in taken the place of this one.
    if (!stands()) return flow.answering(false);
    const status = await answer(account, asked, decision, number, uv);
    flow.answered(asked, screenOf(status, decision), slots);
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Unrecognized)) throw error;
    flow.answering(false);
    if (error instanceof Unrecognized) return stands() ? fail("unlock", { typed: false }) : undefined;
    if (error.status === 401) return flow.gone(account);
    if (error.status === 404) return flow.over("expired", slots);
    fail(error.unreachable ? "offline" : "refused");
  }
}

function screenOf(status, decision) {
  if (decision === "not_me" && status === "blocked") return "not_me";
  return status;
}

// What is to be confirmed, as the application wrote it: names and values, shown as text and nothing else.
function details(told) {
  const box = document.querySelector("[data-details]");
  const rows = lines(told ?? {});
  box.hidden = !rows.length;
  box.replaceChildren(
    ...rows.map(([names, value]) => {
      const row = document.createElement("div");
      const term = document.createElement("dt");
      const text = document.createElement("dd");
      term.textContent = names.map(plain).join(" / ");
      text.textContent = value;
      row.append(term, text);
      return row;
    }),
  );
}

// What is signed is all of it, so all of it is shown: what lies deeper on lines of its own, under the names on the way.
function lines(told, names = []) {
  if (told === null || typeof told !== "object") return [[names, told === null ? "nothing" : String(told)]];
  const entries = Array.isArray(told) ? told.map((value, at) => [String(at + 1), value]) : Object.entries(told);
  if (!entries.length && names.length) return [[names, "nothing"]];
  return entries.flatMap(([name, value]) => lines(value, [...names, name]));
}

// A name of the application's as people read it: "pay_invoice" is "pay invoice".
function plain(name) {
  return name.replaceAll("_", " ");
}

function circumstancesOf(asked) {
  const text = [asked.user_agent, placeOf(asked), whenOf(asked)].filter(Boolean).join(", ");
  return text[0].toUpperCase() + text.slice(1);
}

function placeOf(asked) {
  const { city, network } = asked.place ?? {};
  if (city) return `near ${city}`;
  // The last part of an address is nobody's business, and a mask says nothing to most.
  return network ? `from ${network.replace(/\.0\/24$/, ".x").replace(/::\/48$/, ":…")}` : "";
}

function whenOf(asked) {
  const ago = Math.round((now() - Date.parse(asked.created_at)) / 1000);
  return ago < JUST_NOW ? "just now" : "a minute ago";
}
