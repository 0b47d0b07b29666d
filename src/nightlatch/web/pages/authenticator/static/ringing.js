// Being rung: Web Push where the browser has it and the person allows it. Without, the open page asks by itself.

import { accounts, keep } from "./phone.js";
import { Refused, ringBy } from "./server.js";

const KEY = document.body.dataset.pushKey;
const WORKER = "/authenticator/worker.js";
const SCOPE = "/authenticator";

let worker = null;

export async function register(heard) {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.addEventListener("message", (event) => heard(event.data?.type));
  try {
    worker = await navigator.serviceWorker.register(WORKER, { scope: SCOPE, updateViaCache: "none" });
  } catch {
    // A private window, or a browser that forbids it: the page works on while it is open.
    worker = null;
  }
}

const able = () => Boolean(worker?.pushManager && "Notification" in globalThis);

export const allowed = () => able() && Notification.permission === "granted";
export const mayAsk = () => able() && Notification.permission === "default";

// Only on a tap: browsers ignore, and people refuse, what comes by itself.
export async function ask() {
  return (await Notification.requestPermission()) === "granted";
}

function keyBytes() {
  const text = atob(KEY.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function ofOurKey(subscription) {
  const theirs = subscription.options?.applicationServerKey;
  if (!theirs) return true;
  const ours = keyBytes();
  return new Uint8Array(theirs).every((byte, index) => byte === ours[index]);
}

// This browser's subscription as plain data; null where there is none to be had.
export async function subscription() {
  if (!allowed()) return null;
  try {
    const { pushManager } = await navigator.serviceWorker.ready;
    let found = await pushManager.getSubscription();
    if (found && !ofOurKey(found)) {
      await found.unsubscribe();
      found = null;
    }
    found ??= await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: keyBytes() });
    return found.toJSON();
  } catch {
    // The browser's push service cannot be reached, or there is none.
    return null;
  }
}

// Tell every account where this phone is rung now, if that has changed. ``anew``: the server lost it, or says so.
export async function tellAll({ anew = false } = {}) {
  const found = await subscription();
  const endpoint = found?.endpoint ?? null;
  for (const account of await accounts()) {
    if (account.gone || account.pairing || (!anew && account.told === endpoint)) continue;
    if (!found && account.told === null) continue;
    try {
      await ringBy(account, found);
      await keep({ ...account, told: endpoint });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }
  return found !== null;
}
