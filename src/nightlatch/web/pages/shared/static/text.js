// A code by text: typed in by the browser where it can read the text, and news of a text that could not be sent.
// The page works without this file; nothing is sent by itself.

const form = document.querySelector("form[data-code-by-text]");
const field = form?.querySelector("input[inputmode=numeric]");

// WebOTP: Chrome on Android offers the code of a text that names this very address. Whoever sends the form by hand, or
// leaves, needs it no more.
async function readText() {
  if (!field || !("OTPCredential" in window)) return;
  const done = new AbortController();
  form.addEventListener("submit", () => done.abort());
  addEventListener("pagehide", () => done.abort());
  try {
    const read = await navigator.credentials.get({ otp: { transport: ["sms"] }, signal: done.signal });
    if (read?.code && !field.value) {
      field.value = read.code;
      form.querySelector("button[type=submit]").focus();
    }
  } catch {
    // Declined, timed out or given up: the person types.
  }
}

// The button comes alive when its time has come; it stays where it is.
function waitForNext() {
  for (const again of document.querySelectorAll("[data-again]")) {
    const button = again.querySelector("button");
    const left = Date.parse(again.dataset.again) - Date.now();
    if (left <= 0) continue;
    button.disabled = true;
    setTimeout(() => (button.disabled = false), left + 250);
  }
}

const LOOK_AT = [1, 1, 2, 3, 5, 5, 5, 10, 10, 15, 15, 15, 30, 30, 30, 60, 60];

async function hearOfIt(address) {
  for (const seconds of LOOK_AT) {
    await new Promise((wake) => setTimeout(wake, seconds * 1000));
    try {
      const answer = await fetch(address, { headers: { accept: "application/json" } });
      if (!answer.ok) return;
      const { failed, over } = await answer.json();
      document.querySelector("[data-texted]").hidden = failed;
      document.querySelector("[data-not-texted]").hidden = !failed;
      if (over) return;
    } catch {
      return;
    }
  }
}

readText();
waitForNext();
if (form?.dataset.news) hearOfIt(form.dataset.news);
