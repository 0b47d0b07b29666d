// What this phone says to its server. Every request is signed by the account's own key; there is no session to steal.

import { audience, digest, heardTime, makeKey, now, once, seconds, sign } from "./phone.js";

const REQUEST = "nightlatch-push-request+jwt";
const RESPONSE = "nightlatch-push-response+jwt";
const PAIRING = "nightlatch-push-pairing+jwt";
const RESPONSE_SECONDS = 60;
const LONG = 25;
const SOON = 1500;
const SURE = 1500;

// The server's refusal, or null as ``status`` where it was not reached.
export class Refused extends Error {
  constructor(status, problem = {}) {
    super(problem.code ?? "unreachable");
    this.status = status;
    this.code = problem.code ?? "";
    this.fields = (problem.errors ?? []).map((one) => one.pointer ?? "");
    this.retryAfter = problem.retry_after ?? null;
  }

  get unreachable() {
    return this.status === null || this.status >= 500;
  }
}

async function call(method, path, { body, account, signal } = {}) {
  const text = body === undefined ? "" : JSON.stringify(body);
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  if (account) headers.authorization = `Push ${await signedRequest(account, method, path, text)}`;
  const sent = Date.now();
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: text || undefined, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(null);
  }
  // An answer that was waited for may tell the time at which it was asked for. Who has the wrong time is refused at once,
  // however slow the line.
  if (answer.status === 401 || Date.now() - sent < SOON) heardTime(answer.headers.get("date"));
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  throw new Refused(answer.status, await answer.json().catch(() => ({})));
}

async function signedRequest(account, method, path, text) {
  return sign(
    account.key,
    { typ: REQUEST, kid: account.factor },
    {
      aud: audience,
      htm: method,
      htu: path.split("?")[0],
      body_hash: await digest(text),
      iat: seconds(),
      jti: once(),
    },
  );
}

// A phone whose clock is wrong hears the right time with the refusal, and asks once more. A server whose own clock was just
// set may still tell the old time, for a second: nobody is taken for removed by one refusal.
async function signedCall(account, method, path, options = {}) {
  const ask = () => call(method, path, { ...options, account });
  const before = now() - Date.now();
  try {
    return await ask();
  } catch (error) {
    if (!refusedFor(error)) throw error;
  }
  if (!movedSince(before)) await new Promise((go) => setTimeout(go, SURE));
  try {
    return await ask();
  } catch (error) {
    if (!refusedFor(error) || !movedSince(before)) throw error;
  }
  return ask();
}

const refusedFor = (error) => error instanceof Refused && error.status === 401;

const movedSince = (before) => Math.abs(now() - Date.now() - before) > 5000;

export async function pair(code, name, subscription) {
  const { key, jwk } = await makeKey();
  const proof = () =>
    digest(code).then((hash) =>
      sign(key, { typ: PAIRING, jwk }, { aud: audience, code_hash: hash, iat: seconds(), jti: once() }),
    );
  const request = async () => ({
    code,
    public_key: jwk,
    proof: await proof(),
    name,
    ...(subscription ? { subscription: { web: subscription } } : {}),
  });
  let paired;
  try {
    paired = await call("POST", "/v1/push/pairings", { body: await request() });
  } catch (error) {
    if (!(error instanceof Refused) || error.fields.includes("/code") || !error.fields.includes("/proof")) throw error;
    paired = await call("POST", "/v1/push/pairings", { body: await request() });
  }
  const { factor, user, organization, challenge } = paired;
  return { account: { factor, key, user, organization, name, told: subscription?.endpoint ?? null }, challenge };
}

export const phoneOf = (account) => signedCall(account, "GET", "/v1/push/factor");

export async function waiting(account, { long = false, signal } = {}) {
  const path = `/v1/push/challenges${long ? `?wait=${LONG}` : ""}`;
  return (await signedCall(account, "GET", path, { signal })).challenges;
}

export const ringBy = (account, subscription) =>
  signedCall(account, "PUT", "/v1/push/subscription", {
    body: { subscription: subscription ? { web: subscription } : {} },
  });

// The answer names all of what was asked, so that it is good for nothing else. ``uv``: the platform verified its user
// for this very answer.
export async function answer(account, asked, decision, number, uv = false) {
  const iat = seconds();
  const application = asked.application && typeof asked.application === "object" ? asked.application.id : asked.application;
  const response = await sign(
    account.key,
    { typ: RESPONSE, kid: account.factor },
    {
      iss: account.factor,
      aud: audience,
      challenge: asked.nonce,
      user: account.user.id,
      factor: account.factor,
      application: application ?? null,
      action: asked.action,
      action_hash: asked.action_hash ?? null,
      decision,
      ...(decision === "approve" ? { number } : {}),
      ...(uv ? { uv } : {}),
      iat,
      exp: iat + RESPONSE_SECONDS,
    },
  );
  return (await call("POST", `/v1/push/challenges/${asked.id}/response`, { body: { response } })).status;
}
