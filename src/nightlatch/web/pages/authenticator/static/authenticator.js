// The authenticator: what this phone is set up for, and what waits for it. All keys and all words stay on this page.

import { question } from "./answering.js";
import { begin, install, mustInstall } from "./pairing.js";
import { accounts, canKeep, keep, normalCode, now } from "./phone.js";
import { allowed, ask, mayAsk, register, tellAll } from "./ringing.js";
import { list, say, show, showing } from "./screens.js";
import { Refused, phoneOf, waiting } from "./server.js";
import { forget } from "./unlocking.js";

const AGAIN = 4000;
const SLOWEST = 30_000;
const MOST_AT_ONCE = 4;
const IDLE = new Set(["home", "expired", "approved", "denied", "wrong_number"]);

let asking = null;
let watching = null;

const heard = new Set();

const flow = {
  home,
  over,
  answered,
  gone,
  // While an answer is under way, what waits may be gone before we hear of it.
  answering: (yes) => asking && (asking.answering = yes),
  backToHome: async () => ((await live()).length ? () => home() : null),
};

// A code that came with the address leaves it at once, and with it the history.
function takeAddress() {
  const code = normalCode(decodeURIComponent(location.hash.slice(1)));
  if (location.hash || location.search) history.replaceState(null, "", location.pathname);
  return code;
}

const live = async () => (await accounts()).filter((account) => !account.pairing);

async function start() {
  const home = document.body.dataset.origin;
  if (home !== location.origin) return location.replace(home + location.pathname + location.hash);
  const code = takeAddress();
  if (!(await canKeep())) return show("unable");
  if (mustInstall()) return install(code);
  addEventListener("hashchange", () => open(takeAddress()));
  document.addEventListener("visibilitychange", seen);
  addEventListener("online", wake);
  await register((type) => (type === "push" ? wake() : tellAll()));
  navigator.storage?.persist?.();
  // What was left half set up is over: its number was never typed.
  for (const account of await accounts()) if (account.pairing) await forget(account);
  await open(code);
  await refresh();
  wake();
}

async function open(code) {
  const paired = (await live()).length > 0;
  if (code) return begin(flow, { code, back: paired ? () => home() : null });
  return paired ? home() : begin(flow);
}

// ---- the list -------------------------------------------------------------------------------------------------------

async function home(news = null) {
  asking = null;
  const all = await live();
  if (asking) return; // something was asked meanwhile, and stands there
  if (!all.length) return begin(flow);
  show("home", {
    slots: { set: news === "set-up", bells: mayAsk(), quiet: !allowed() && !mayAsk() },
    acts: {
      add: () => begin(flow, { back: () => home() }),
      allow: async () => {
        await ask();
        await tellAll();
        await home();
      },
    },
  });
  list("accounts", all.map(itemOf));
  wake();
  naming(all);
}

async function naming(all) {
  const told = await Promise.all(all.filter((account) => !account.named && !account.gone).map(named));
  if (told.some((account) => account.named) && showing() === "home") await home();
}

function itemOf(account) {
  return {
    slots: {
      person: account.user.name,
      organization: account.organization,
      name: account.name,
      lock: account.lock && !account.gone,
      gone: account.gone,
      locked: account.locked && !account.gone,
      ready: !account.locked && !account.gone,
    },
    acts: {
      remove: account.gone
        ? async () => {
            await forget(account);
            await home();
          }
        : null,
    },
  };
}

// What each account's server says of this phone: removed there, blocked, or not rung any more.
async function refresh() {
  let lost = false;
  for (const account of await live()) {
    if (account.gone) continue;
    try {
      const told = await phoneOf(account);
      lost ||= account.told !== null && !told.transports.includes("web");
      await keep({ ...account, user: told.user, organization: told.organization, locked: told.locked });
    } catch (error) {
      if (error instanceof Refused && error.status === 401) await keep({ ...account, gone: true });
    }
  }
  await tellAll({ anew: lost });
  if (showing() === "home") await home();
}

// Back in front of the person: what was blocked may be free again, and what waits is asked for at once.
function seen() {
  wake();
  if (document.visibilityState === "visible") refresh();
}

// ---- what waits -----------------------------------------------------------------------------------------------------

function wake() {
  watching?.abort();
  watching = null;
  if (document.visibilityState === "visible") watch((watching = new AbortController()).signal);
}

async function watch(signal) {
  const all = (await live()).filter((account) => !account.gone);
  const long = all.length <= MOST_AT_ONCE;
  await Promise.all(all.map((account) => watchOne(account, long, signal)));
}

async function watchOne(account, long, signal) {
  let pause = AGAIN;
  while (!signal.aborted) {
    let rest = long ? 0 : AGAIN;
    try {
      const found = await waiting(account, { long, signal });
      connected(true);
      pause = AGAIN;
      if (found.length) rest = AGAIN;
      if (found[0] && found[0].action !== "pair") account = await named(account);
      settle(account, found[0] ?? null);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Refused)) throw error;
      if (error.status === 401) return gone(account);
      connected(!error.unreachable);
      rest = pause = Math.min(pause * 2, SLOWEST);
    }
    if (rest) await sleep(rest, signal);
  }
}

// At its pairing a phone hears what the sign-in was begun with; whose account it is, once the phone counts.
async function named(account) {
  if (account.named) return account;
  try {
    const told = await phoneOf(account);
    const known = { ...account, user: told.user, named: told.status === "active" };
    await keep(known);
    return known;
  } catch {
    return account;
  }
}

const sleep = (milliseconds, signal) =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", resolve, { once: true });
  });

function connected(yes) {
  document.querySelector("[data-offline]").hidden = yes;
}

// Show what waits now. One that took the place of another is shown instead; the one before is dead.
function settle(account, found) {
  if (found?.action === "pair") return;
  if (!found) {
    if (asking?.factor === account.factor && !asking.answering && asking.expires_at > now()) over("expired", asking.slots);
    return;
  }
  const busy = asking && asking.factor !== account.factor;
  if (busy || asking?.nonce === found.nonce || heard.has(found.nonce)) return;
  if (!asking && !IDLE.has(showing())) return;
  asking = {
    factor: account.factor,
    nonce: found.nonce,
    expires_at: Date.parse(found.expires_at),
    slots: { application: found.application?.name ?? account.organization, organization: account.organization },
  };
  question(flow, account, found);
  say("asked");
}

function over(screen, slots) {
  asking = null;
  show(screen, { slots, acts: { done: () => home() } });
}

// The server has heard the answer. What was asked for before may still name the question: it does not come again.
function answered(asked, screen, slots) {
  heard.add(asked.nonce);
  over(screen, slots);
}

async function gone(account) {
  await keep({ ...account, gone: true });
  if (asking?.factor === account.factor || showing() === "home") await home();
}

start();
