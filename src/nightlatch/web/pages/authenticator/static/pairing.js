// Setting up this phone: a code from the picture, a key that is made here, and the number beside the picture (B2).

import { codeTaken, keep, normalCode, takeCode } from "./phone.js";
import { ask, mayAsk, subscription, tellAll } from "./ringing.js";
import { fail, say, show, standing } from "./screens.js";
import { Refused, answer, pair } from "./server.js";
import { Unrecognized, canLock, forget, makeLock, unlock } from "./unlocking.js";
import { copyText } from "../shared/page.js";

const agent = navigator.userAgent;
const iPadAsMac = agent.includes("Macintosh") && navigator.maxTouchPoints > 1;
const installed = () => navigator.standalone === true || matchMedia("(display-mode: standalone)").matches;

// In Safari on iOS a tab and the page on the Home Screen share nothing, and only the latter is rung: no key is made here.
export const mustInstall = () => (/iPhone|iPad|iPod/.test(agent) || iPadAsMac) && !installed();

function phoneName() {
  const device = [
    [/iPhone/, "iPhone"],
    [/iPad/, "iPad"],
    [/Android.*Mobile/, "Android phone"],
    [/Android/, "Android tablet"],
    [/Windows/, "Windows computer"],
    [/Macintosh/, iPadAsMac ? "iPad" : "Mac"],
    [/CrOS/, "Chromebook"],
    [/Linux/, "Linux computer"],
  ].find(([pattern]) => pattern.test(agent));
  return device?.[1] ?? "Phone";
}

// How the code gets into the page on the Home Screen: in the address that it is put there with. It stands behind "#" in
// a manifest that is part of this page, so that no server hears of it; where that fails, copy or type it.
export function install(code) {
  if (code) manifestWith(code);
  show("install", {
    slots: { code: code ? grouped(code) : "", hasCode: code },
    acts: {
      copy: code
        ? async () => {
            await copyText(code);
            say("copied");
          }
        : null,
    },
  });
}

async function manifestWith(code) {
  const link = document.querySelector("link[rel=manifest]");
  try {
    const manifest = await (await fetch(link.href)).json();
    const own = (address) => new URL(address, location.origin).href;
    manifest.start_url = own(`/authenticator#${code}`);
    manifest.scope = own(manifest.scope);
    manifest.id = own(manifest.id);
    manifest.icons = manifest.icons.map((icon) => ({ ...icon, src: own(icon.src) }));
    link.href = `data:application/manifest+json,${encodeURIComponent(JSON.stringify(manifest))}`;
  } catch {
    // Without a connection the ordinary manifest stays, and the code is pasted.
  }
}

const grouped = (code) => code.match(/.{4}/g).join(" ");

// The field for a code; one that came with the address stands there already. ``done`` leads on.
export async function begin(flow, { code = null, error = null, back = null } = {}) {
  if (code && (await codeTaken(code))) return back ? back() : begin(flow, { error: "code-used" });
  if (code) return name(flow, code);
  show("begin", {
    error,
    slots: { canPaste: Boolean(navigator.clipboard?.readText) },
    acts: {
      back,
      paste: async () => {
        const text = await navigator.clipboard.readText().catch(() => "");
        const field = document.querySelector("#pairing-code");
        field.value = text.includes("#") ? text.split("#").pop() : text;
        field.focus();
      },
      go: (form) => {
        const text = String(form.get("code"));
        const found = normalCode(text.includes("#") ? text.split("#").pop() : text);
        if (found) return name(flow, found);
        fail("code-form");
      },
    },
  });
}

function name(flow, code) {
  show("name", {
    slots: { name: phoneName() },
    acts: {
      back: () => flow.home(),
      go: async (form) => {
        const label = String(form.get("name")).trim() || phoneName();
        try {
          const { account, challenge } = await pair(code, label, await subscription());
          await takeCode(code);
          await keep({ ...account, pairing: true });
          await ((await canLock()) ? lock : number)(flow, account, challenge);
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          if (error.fields.includes("/name")) return fail("name");
          if (error.status === 422) return begin(flow, { error: "code-dead", back: await flow.backToHome() });
          fail(error.unreachable ? "offline" : "busy");
        }
      },
    },
  });
}

// Now or never: a server believes that a phone verifies its user where it did so from the beginning, and no later.
function lock(flow, account, asked) {
  const label = document.getElementById("lock-name").content.textContent.replace("{}", () => account.user.name);
  show("lock", {
    until: asked.expires_at,
    ended: () => over(flow, account, "pairing-expired"),
    slots: { person: account.user.name },
    acts: {
      on: async () => {
        const stands = standing();
        try {
          const locked = { ...account, lock: await makeLock(label, account.organization) };
          if (!stands()) return forget(locked);
          await keep({ ...locked, pairing: true });
          number(flow, locked, asked);
        } catch (error) {
          if (!(error instanceof Unrecognized)) throw error;
          if (stands()) fail("lock");
        }
      },
      later: () => number(flow, account, asked),
      stop: () => stop(flow, account, asked),
    },
  });
}

// Nothing counts before this number, which only the other screen shows: whoever photographs the picture gets nowhere.
function number(flow, account, asked) {
  let paired = account;
  show("number", {
    until: asked.expires_at,
    ended: () => over(flow, account, "pairing-expired"),
    slots: { organization: account.organization, person: account.user.name },
    acts: {
      go: (form) => confirm(flow, paired, asked, form.get("number")),
      without: async () => {
        await forget(paired);
        paired = { ...account, lock: null };
        await confirm(flow, paired, asked, document.querySelector("#number").value);
      },
      stop: () => stop(flow, paired, asked),
    },
  });
}

async function confirm(flow, account, asked, text) {
  const typed = String(text).replace(/[\s\p{Pd}]/gu, "");
  if (!/^[0-9]{6}$/.test(typed)) return fail("number-form");
  const stands = standing();
  try {
    const uv = await unlock(account, asked, typed);
    if (!stands()) return;
    const status = await answer(account, asked, "approve", typed, uv);
    if (status !== "approved") return over(flow, account, status === "wrong_number" ? "pairing-wrong" : "pairing-expired");
    await keep({ ...account, pairing: false });
    await bells(flow, account);
  } catch (error) {
    if (error instanceof Unrecognized) return stands() ? fail("lock-number", { typed: false }) : undefined;
    if (!(error instanceof Refused)) throw error;
    if (error.unreachable) return fail("offline");
    await over(flow, account, "pairing-expired");
  }
}

async function over(flow, account, error) {
  await forget(account);
  await begin(flow, { error, back: await flow.backToHome() });
}

async function stop(flow, account, asked) {
  await answer(account, asked, "deny").catch(() => null);
  await forget(account);
  await flow.home();
}

async function bells(flow, account) {
  const on = async () => {
    await tellAll();
    await flow.home("set-up");
  };
  if (!mayAsk()) return on();
  show("bells", {
    slots: { organization: account.organization, person: account.user.name },
    acts: {
      allow: async () => {
        await ask();
        await on();
      },
      later: () => flow.home("set-up"),
    },
  });
}
