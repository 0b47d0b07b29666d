// The lock on approvals: the platform makes sure of its user by fingerprint, face or PIN (WebAuthn). The server sees
// nothing of it but ``uv`` in what this phone signs, so this page checks all that a server would.

import { audience, base64url, drop, now, utf8 } from "./phone.js";

const ES256 = -7;
const RS256 = -257;
const ALGORITHMS = {
  [ES256]: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  [RS256]: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
};
const PRESENT_AND_VERIFIED = 0b101;
const FLAGS_AT = 32;
const HALF = 32;

// The platform did not recognise the person, or somebody stopped it: browsers do not tell which.
export class Unrecognized extends Error {}

export async function canLock() {
  // WebAuthn knows hosts by their names, never by an address.
  if (/^[\d.]+$|^\[/.test(location.hostname)) return false;
  try {
    const told = "getPublicKey" in AuthenticatorAttestationResponse.prototype;
    return told && (await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable());
  } catch {
    return false;
  }
}

// A credential of this phone, for one account and for nothing but approvals.
export async function makeLock(name, organization) {
  const random = () => crypto.getRandomValues(new Uint8Array(32));
  const made = await ofPlatform("create", {
    rp: { name: organization },
    user: { id: random(), name, displayName: name },
    challenge: random(),
    pubKeyCredParams: [ES256, RS256].map((alg) => ({ type: "public-key", alg })),
    authenticatorSelection: {
      authenticatorAttachment: "platform",
      userVerification: "required",
      residentKey: "discouraged",
    },
    attestation: "none",
  });
  const alg = made.response.getPublicKeyAlgorithm();
  const spki = made.response.getPublicKey();
  if (!(alg in ALGORITHMS) || !spki) throw new Unrecognized();
  return { id: made.rawId, alg, key: await crypto.subtle.importKey("spki", spki, ALGORITHMS[alg], false, ["verify"]) };
}

// Whether the platform verified its user for this very approval; an account without a lock asks for nothing. To be
// called in the tap itself with nothing awaited before, or browsers do not ask. So the challenge is the words that will
// be signed, and not their hash: WebCrypto would have to be awaited.
export async function unlock(account, asked, number) {
  if (!account.lock) return false;
  const challenge = utf8(`${asked.nonce} approve ${number}`);
  const { response } = await ofPlatform("get", {
    challenge,
    rpId: location.hostname,
    allowCredentials: [{ type: "public-key", id: account.lock.id, transports: ["internal"] }],
    userVerification: "required",
    timeout: Math.max(1, Date.parse(asked.expires_at) - now()),
  });
  if (!(await isRight(response, challenge, account.lock))) throw new Unrecognized();
  return true;
}

// Drop an account. The platform hears that its credential is of no more use, where it listens.
export async function forget(account) {
  await drop(account);
  if (!account.lock) return;
  const gone = { rpId: location.hostname, credentialId: base64url(account.lock.id) };
  await globalThis.PublicKeyCredential?.signalUnknownCredential?.(gone).catch(() => null);
}

async function ofPlatform(act, publicKey) {
  try {
    return await navigator.credentials[act]({ publicKey });
  } catch (error) {
    if (error instanceof DOMException) throw new Unrecognized();
    throw error;
  }
}

// WebAuthn Level 2 §7.2, steps 11 to 20.
async function isRight({ clientDataJSON, authenticatorData, signature }, challenge, { alg, key }) {
  const told = JSON.parse(new TextDecoder().decode(clientDataJSON));
  const data = new Uint8Array(authenticatorData);
  const hash = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const site = await hash(utf8(location.hostname));
  const right =
    told.type === "webauthn.get" &&
    told.challenge === base64url(challenge) &&
    told.origin === audience &&
    told.crossOrigin !== true &&
    site.every((byte, index) => byte === data[index]) &&
    (data[FLAGS_AT] & PRESENT_AND_VERIFIED) === PRESENT_AND_VERIFIED;
  const signed = new Uint8Array([...data, ...(await hash(clientDataJSON))]);
  const raw = alg === ES256 ? rawOf(new Uint8Array(signature)) : signature;
  return right && (await crypto.subtle.verify(ALGORITHMS[alg], key, raw, signed));
}

// WebAuthn signs with ECDSA as two DER integers, and WebCrypto wants them side by side.
function rawOf(der) {
  const raw = new Uint8Array(2 * HALF);
  let at = 2;
  for (const end of [HALF, 2 * HALF]) {
    const length = der[at + 1];
    const integer = der.subarray(at + 2, at + 2 + length).slice(-HALF);
    raw.set(integer, end - integer.length);
    at += 2 + length;
  }
  return raw;
}
