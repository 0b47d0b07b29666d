// The demo phone: an authenticator app as small as can be. It reads the otpauth address of the picture on the page, as
// a camera would, keeps the secret in this browser, and computes codes by itself (RFC 6238). Nightlatch never asks it.

const KEPT = "nightlatch-demo-phone";
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

function keep(person, change) {
  const all = kept();
  all[person] = { accounts: [], paper: [], ...all[person], ...change };
  localStorage.setItem(KEPT, JSON.stringify(all));
  return all[person];
}

function unbase32(text) {
  const bytes = [];
  let bits = 0;
  let value = 0;
  for (const letter of text.replace(/=+$/, "").toUpperCase()) {
    value = (value << 5) | ALPHABET.indexOf(letter);
    bits += 5;
    if (bits >= 8) bytes.push((value >>> (bits -= 8)) & 255);
  }
  return new Uint8Array(bytes);
}

export function parseUri(text) {
  const url = new URL(text);
  const query = url.searchParams;
  const label = decodeURIComponent(url.pathname.replace(/^\/+(totp\/)?/, ""));
  return {
    secret: query.get("secret"),
    issuer: query.get("issuer") ?? label.split(":")[0],
    account: label.split(":").pop().trim(),
    digits: Number(query.get("digits") ?? 6),
    period: Number(query.get("period") ?? 30),
    hash: `SHA-${(query.get("algorithm") ?? "SHA1").slice(3)}`,
  };
}

export async function codeAt(account, step) {
  const key = await crypto.subtle.importKey("raw", unbase32(account.secret), { name: "HMAC", hash: account.hash }, false, [
    "sign",
  ]);
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(step));
  const mac = new DataView(await crypto.subtle.sign("HMAC", key, counter.buffer));
  const offset = mac.getUint8(mac.byteLength - 1) & 15;
  const number = (mac.getUint32(offset) & 0x7fffffff) % 10 ** account.digits;
  return String(number).padStart(account.digits, "0");
}

const stepOf = (account, ahead = 0) => Math.floor(Date.now() / 1000 / account.period) + ahead;
const spaced = (code) => code.replace(/^(\d{3})(?=\d)/, "$1 ");

export class Phone {
  constructor(root, stage) {
    this.root = root;
    this.stage = stage;
    const before = kept()[stage.person];
    const scanned = stage.scanned.map(parseUri);
    const accounts = before?.accounts?.length ? before.accounts : scanned;
    this.own = keep(stage.person, { accounts, paper: before?.paper ?? [] });
    this.texts = stage.texts ?? [];
    this.show();
    setInterval(() => this.tick(), 1000);
    setInterval(() => this.listen(), 1500);
  }

  get account() {
    return this.own.accounts[this.own.accounts.length - 1];
  }

  // What is on the page beside the phone: a picture to scan, a field to type into, codes to put away.
  get page() {
    return {
      picture: document.querySelector("[data-otpauth]"),
      field: document.querySelector("form:not([data-code-by-text]) input.code:not(.long)"),
      textField: document.querySelector("form[data-code-by-text] input.code"),
      numberField: document.querySelector("input[type=tel]"),
      paperField: document.querySelector("input.code.long"),
      codes: [...document.querySelectorAll(".codes code")].map((code) => code.textContent),
    };
  }

  show() {
    this.clock = h("span", {}, "");
    this.output = h("output", { ariaLive: "off" }, "––– –––");
    this.left = h("i");
    const texting = this.page.textField || this.page.numberField;
    const body = h("div", { className: "phone-body" }, h("h3", {}, texting ? "Texts" : "Codes"), ...this.screen());
    const phone = h(
      "div",
      { className: "phone", role: "group", ariaLabel: `${this.stage.name}'s phone` },
      h("div", { className: "phone-bar" }, this.clock, h("span", { className: "soft" }, `${this.stage.name}'s phone`)),
      body,
      h("div", { className: "phone-tries" }, ...this.tries(), this.opener()),
    );
    this.root.replaceChildren(phone, ...this.drawer());
    this.tick();
  }

  screen() {
    const { picture, field, textField, numberField } = this.page;
    const items = [];
    if (document.querySelector("[data-news] .number"))
      return [h("p", { className: "soft" }, "It opens in a window of its own. Keep both in sight.")];
    if (numberField) items.push(this.button("Type my number", () => this.put(numberField, this.stage.number), "primary"));
    if (this.texts.length) items.push(...this.bubbles(textField));
    if (textField || numberField) {
      if (!this.texts.length) items.push(h("p", { className: "soft" }, `No text yet. My number is ${this.stage.number}.`));
      return items;
    }
    const fresh = picture && this.account?.secret !== parseUri(picture.href).secret;
    if (fresh) items.push(this.button("Scan the picture", () => this.scan(picture.href), "primary"));
    if (this.account && !fresh) {
      items.push(
        h(
          "div",
          { className: "phone-code" },
          h("span", { className: "small soft" }, `${this.account.issuer} · ${this.account.account}`),
          this.output,
          h("div", { className: "phone-bar-left", ariaHidden: "true" }, this.left),
        ),
      );
      if (field) items.push(this.button("Type it in", () => this.type(field, 0), "primary"));
    }
    if (!items.length)
      items.push(h("p", { className: "soft" }, "Nothing here yet. Sign in at the bank, and scan the picture that you will see."));
    return items;
  }

  // Approving is done in the real authenticator, in a window of its own: this browser plays the phone.
  opener() {
    const picture = document.querySelector("[data-pairing]");
    const waits = picture ?? document.querySelector("[data-news] .number");
    return h(
      "a",
      { className: `button ${waits ? "primary" : ""}`, href: picture?.href ?? "/authenticator", target: "nightlatch-phone" },
      picture ? "Scan it with the camera" : `Open ${this.stage.name}'s phone`,
    );
  }

  tries() {
    const { field } = this.page;
    if (!field || !this.account) return [];
    const tries = [this.button("Type a wrong code", () => this.put(field, "000000"))];
    if (this.own.last) tries.push(this.button("Type the last code again", () => this.put(field, this.own.last)));
    return tries;
  }

  drawer() {
    const { codes, paperField } = this.page;
    const unsaved = codes.length && codes[0] !== this.own.paper[0];
    if (!unsaved && !this.own.paper.length) return [];
    const words = unsaved
      ? "A sheet of paper, and a drawer."
      : `In the drawer: ${this.own.paper.length} backup codes on paper.`;
    const sheet = h("div", { className: "paper", role: "group", ariaLabel: "A drawer" }, h("p", {}, words));
    if (unsaved)
      sheet.append(
        this.button("Write them down", () => {
          this.own = keep(this.stage.person, { paper: codes });
          const box = document.querySelector("[name=saved]");
          if (box) box.checked = true;
          this.show();
        }),
      );
    else if (paperField && this.own.paper.length)
      sheet.append(
        this.button("Use one", () => {
          const [code, ...rest] = this.own.paper;
          this.own = keep(this.stage.person, { paper: rest });
          this.put(paperField, code);
          this.show();
        }),
      );
    return [sheet];
  }

  bubbles(field) {
    const [newest] = this.texts;
    const code = newest.text.match(/(?<!\d)\d{6}(?!\d)/)?.[0];
    const bubble = h("div", { className: "phone-text", role: "log", ariaLabel: "Newest text" }, newest.text);
    return field && code ? [bubble, this.button("Type the code in", () => this.put(field, code), "primary")] : [bubble];
  }

  // A real phone is rung up; this one asks.
  async listen() {
    if (document.hidden) return;
    try {
      const answer = await fetch("/demo/phone.json");
      if (!answer.ok) return;
      const texts = await answer.json();
      if (texts[0]?.id === this.texts[0]?.id) return;
      this.texts = texts;
      this.show();
    } catch {
      // The page is being left.
    }
  }

  button(words, act, kind = "") {
    return h("button", { type: "button", className: `button ${kind}`, onclick: act }, words);
  }

  scan(uri) {
    this.own = keep(this.stage.person, { accounts: [...this.own.accounts, parseUri(uri)], last: null });
    this.show();
  }

  put(field, text) {
    field.value = text;
    field.focus();
  }

  async type(field, ahead) {
    const code = await codeAt(this.account, stepOf(this.account, ahead));
    this.own = keep(this.stage.person, { last: code });
    this.put(field, code);
  }

  // A code that no form has seen: the one of the next half minute, which the server takes already (one step of drift).
  async unused() {
    return this.account ? codeAt(this.account, stepOf(this.account, 1)) : null;
  }

  async tick() {
    this.clock.textContent = new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    if (!this.account) return;
    const { period } = this.account;
    const left = period - ((Date.now() / 1000) % period);
    this.left.style.transform = `scaleX(${left / period})`;
    this.output.textContent = spaced(await codeAt(this.account, stepOf(this.account)));
  }
}

export async function stageOf() {
  const answer = await fetch("/demo/stage.json");
  if (!answer.ok) throw new Error(`the demo answers ${answer.status}`);
  return answer.json();
}
