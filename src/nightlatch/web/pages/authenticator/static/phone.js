// The keys of this phone, and what they sign. A key is made here, cannot be taken out (WebCrypto, not extractable), and
// signs with ES256; the server knows its public half alone.

const DATABASE = "nightlatch-authenticator";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };
const ALPHABET = /^[0-9ABCDEFGHJKMNPQRSTVWXYZ]{24}$/;

export const audience = location.origin;

export function base64url(bytes) {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export const utf8 = (text) => new TextEncoder().encode(text);

export async function digest(text) {
  return base64url(await crypto.subtle.digest("SHA-256", utf8(text)));
}

export const once = () => base64url(crypto.getRandomValues(new Uint8Array(18)));

// A pairing code as people type it, in its one spelling (Crockford's Base32); null for what can be none.
export function normalCode(text) {
  const bare = text.replace(/[\s\p{Pd}]/gu, "").toUpperCase();
  const symbols = bare.replace(/[OILU]/g, (letter) => ({ O: "0", I: "1", L: "1", U: "V" })[letter]);
  return ALPHABET.test(symbols) ? symbols : null;
}

// ---- the clock: the server's, as its answers tell it. What is signed now must be of now there. ------------------------

let drift = 0;

export const now = () => Date.now() + drift;

export function heardTime(date) {
  const told = Date.parse(date ?? "");
  if (Number.isNaN(told)) return;
  // The header has whole seconds, so a second or two of difference says nothing.
  const ahead = told + 500 - Date.now();
  drift = Math.abs(ahead) > 2000 ? ahead : 0;
}

// ---- signing --------------------------------------------------------------------------------------------------------

export async function makeKey() {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
  return { key: privateKey, jwk: { kty, crv, x, y } };
}

export async function sign(key, header, payload) {
  const part = (value) => base64url(utf8(JSON.stringify(value)));
  const signed = `${part({ alg: "ES256", ...header })}.${part(payload)}`;
  return `${signed}.${base64url(await crypto.subtle.sign(SIGNATURE, key, utf8(signed)))}`;
}

export const seconds = () => Math.floor(now() / 1000);

// ---- what is kept: one record an account, and the codes that were taken ------------------------------------------------

let opening;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("accounts", { keyPath: "factor" });
      request.result.createObjectStore("codes");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function within(store, mode, act) {
  const transaction = (await database()).transaction(store, mode);
  const request = act(transaction.objectStore(store));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

export const accounts = () => within("accounts", "readonly", (store) => store.getAll());
export const keep = (account) => within("accounts", "readwrite", (store) => store.put(account));
export const drop = (account) => within("accounts", "readwrite", (store) => store.delete(account.factor));

// A page on the Home Screen opens with the code that it was put there with, every time.
export const codeTaken = async (code) => Boolean(await within("codes", "readonly", (store) => store.count(code)));
export const takeCode = (code) => within("codes", "readwrite", (store) => store.put(Date.now(), code));

export async function canKeep() {
  if (!globalThis.crypto?.subtle || !globalThis.indexedDB) return false;
  try {
    await database();
    return true;
  } catch {
    return false;
  }
}
