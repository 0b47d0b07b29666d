"""Approvals behind the phone's fingerprint, face or PIN: Chromium's own WebAuthn, with a platform that a test commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import CDPSession, expect

from tests.support.pushing import number_of, scan, set_up, sign_in
from tests.support.screens import Screen

pytestmark = [pytest.mark.pictures]

OFFER = "Lock approvals with your fingerprint, face or PIN?"
NOT_RECOGNISED = "This phone did not recognise you"

PLATFORM = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}

# The platform takes its time, until somebody is recognised. ``asking`` is the form that waits for it.
SLOWLY = """
() => {
  const get = navigator.credentials.get.bind(navigator.credentials);
  const recognised = new Promise((resolve) => (window.recognise = resolve));
  navigator.credentials.get = async (options) => {
    window.asking = document.querySelector("form");
    const told = await get(options);
    await recognised;
    return told;
  };
}
"""

# The phone's check of what its platform says, handed an answer that is true but for one thing. The platform's key is
# made here, so that nothing but that thing can be what it is refused for.
CHECK = """
async ([alg, wrong]) => {
  const script = document.querySelector("script[src*=authenticator]").src;
  const { unlock } = await import(script.replace("authenticator.js", "unlocking.js"));
  const algorithm = {
    "-7": { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
    "-257": {
      name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]),
    },
  }[alg];
  const make = () => crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const { privateKey, publicKey } = await make();
  const hash = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const utf8 = (text) => new TextEncoder().encode(text);
  const base64url = (bytes) =>
    btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  const integer = (bytes) => {
    let short = bytes;
    while (short.length > 1 && !short[0]) short = short.slice(1);
    return [2, short.length + (short[0] >> 7), ...(short[0] >> 7 ? [0] : []), ...short];
  };
  const der = (raw) => {
    const both = [...integer(raw.slice(0, 32)), ...integer(raw.slice(32))];
    return new Uint8Array([48, both.length, ...both]);
  };
  navigator.credentials.get = async ({ publicKey: asked }) => {
    const told = {
      type: "webauthn.get",
      challenge: base64url(wrong.challenge ? utf8(wrong.challenge) : asked.challenge),
      origin: location.origin,
      crossOrigin: false,
      ...wrong.client,
    };
    const clientDataJSON = utf8(JSON.stringify(told));
    const site = await hash(utf8(wrong.site ?? location.hostname));
    const authenticatorData = new Uint8Array([...site, wrong.flags ?? 5, 0, 0, 0, 1]);
    const signed = new Uint8Array([...authenticatorData, ...(await hash(clientDataJSON))]);
    const key = wrong.key ? (await make()).privateKey : privateKey;
    const raw = new Uint8Array(await crypto.subtle.sign(algorithm, key, signed));
    const signature = alg === -7 ? der(raw) : raw;
    return { response: { clientDataJSON, authenticatorData, signature } };
  };
  const account = { lock: { id: new Uint8Array(16), alg, key: publicKey } };
  const asked = { nonce: "nonce", expires_at: new Date(Date.now() + 60000).toISOString() };
  return unlock(account, asked, "482913").catch((error) => error.constructor.name);
}
"""

WRONG: tuple[dict[str, Any], ...] = (
    {"challenge": "another approve 482913"},
    {"challenge": "nonce approve 482914"},
    {"client": {"type": "webauthn.create"}},
    {"client": {"origin": "https://evil.example"}},
    {"client": {"crossOrigin": True}},
    {"site": "evil.example"},
    {"flags": 1},
    {"flags": 4},
    {"key": "another"},
)


@dataclass
class Platform:
    """What unlocks the phone."""

    cdp: CDPSession
    id: str

    async def recognises(self, whether: bool) -> None:
        """The finger on it is its owner's from now on, or is not."""
        await self.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": whether})

    async def credentials(self) -> list[str]:
        """The ids of what it keeps."""
        found = await self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return [one["credentialId"] for one in found["credentials"]]

    async def remove_all(self) -> None:
        """As a person does in the phone's settings."""
        for one in await self.credentials():
            await self.cdp.send("WebAuthn.removeCredential", {"authenticatorId": self.id, "credentialId": one})


@pytest.fixture
async def platform(phone: Screen) -> Platform:
    """What unlocks it: a fingerprint reader, as far as the browser can tell."""
    cdp = await phone.page.context.new_cdp_session(phone.page)
    await cdp.send("WebAuthn.enable")
    added = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": PLATFORM})
    return Platform(cdp, added["authenticatorId"])


def answers_of(phone: Screen) -> list[str]:
    """The answers that the phone sends from now on."""
    sent: list[str] = []
    phone.page.on("request", lambda request: sent.append(request.url) if "/response" in request.url else None)
    return sent


async def approve(desk: Screen, phone: Screen) -> None:
    """Type the number, and approve."""
    await phone.says("Signing in to Meridian Bank?")
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Approve", exact=True)


async def asserted(desk: Screen, amr: str) -> None:
    """The bank is told that it was proved so."""
    await desk.says("Good day, Maya Lindqvist.")
    claims = desk.page.locator(".claims > div", has=desk.page.get_by_text("amr", exact=True))
    await expect(claims.locator("dd")).to_have_text(amr)


async def test_with_the_lock_an_approval_says_user(desk: Screen, phone: Screen, platform: Platform) -> None:
    """Set up with one press more; from then on each approval has the platform's word, the set-up's own too."""
    await set_up(desk, phone, lock="Lock approvals")
    await asserted(desk, "mfa pwd swk user")
    assert len(await platform.credentials()) == 1
    await phone.says("Asks for your fingerprint, face or PIN.")
    await phone.looks_right("authenticator-home-lock", waits=True)
    await sign_in(desk)
    await approve(desk, phone)
    await phone.says("Approved.")
    await asserted(desk, "mfa pwd swk user")


async def test_who_is_not_recognised_sends_nothing(desk: Screen, phone: Screen, platform: Platform) -> None:
    """The number stays typed, so that one press tries again; no needs no recognition."""
    await set_up(desk, phone, lock="Lock approvals")
    await sign_in(desk)
    await platform.recognises(False)
    sent = answers_of(phone)
    await approve(desk, phone)
    await phone.says(NOT_RECOGNISED)
    await phone.says("set up this phone again")
    await expect(phone.page.locator("#number")).not_to_have_attribute("aria-invalid", "true")
    assert sent == []
    await desk.says("Check Pixel 8.")
    await phone.looks_right("authenticator-unlock", waits=True)
    await platform.recognises(True)
    await phone.press("Approve", exact=True)
    await phone.says("Approved.")
    await asserted(desk, "mfa pwd swk user")
    await sign_in(desk)
    await platform.recognises(False)
    await phone.says("Signing in to Meridian Bank?")
    await phone.press("No", exact=True)
    await phone.press("I changed my mind")
    await phone.says("Nobody was let in.")


@pytest.mark.usefixtures("platform")
async def test_no_is_no_while_the_platform_asks(desk: Screen, phone: Screen) -> None:
    """Who is recognised only after the question is gone approves nothing by it."""
    await set_up(desk, phone, lock="Lock approvals")
    await sign_in(desk)
    await phone.page.evaluate(SLOWLY)
    sent = answers_of(phone)
    await approve(desk, phone)
    await phone.press("No", exact=True)
    await phone.says("What happened?")
    await phone.page.evaluate("recognise()")
    await phone.page.wait_for_function("!asking.dataset.busy")
    await phone.press("I changed my mind")
    await phone.says("Nobody was let in.")
    await desk.says("You said no on your phone.")
    assert len(sent) == 1


async def test_a_lock_that_was_removed_lets_nobody_in(desk: Screen, phone: Screen, platform: Platform) -> None:
    """Without it this phone approves nothing, and says what helps."""
    await set_up(desk, phone, lock="Lock approvals")
    await platform.remove_all()
    await sign_in(desk)
    sent = answers_of(phone)
    for _ in range(2):
        await approve(desk, phone)
        await phone.says(NOT_RECOGNISED)
        await phone.says("set up this phone again")
    assert sent == []
    await desk.says("Check Pixel 8.")


async def test_who_wants_no_lock_approves_as_before(desk: Screen, phone: Screen, platform: Platform) -> None:
    """Nothing is made, nothing is asked, and nothing is claimed."""
    await set_up(desk, phone, lock="Not now")
    await platform.recognises(False)
    await asserted(desk, "mfa pwd swk")
    await sign_in(desk)
    await approve(desk, phone)
    await phone.says("Approved.")
    await asserted(desk, "mfa pwd swk")
    assert await platform.credentials() == []
    await phone.press("Done")
    await phone.says("Nothing is waiting.")
    await expect(phone.page.get_by_text("Asks for your fingerprint")).to_be_hidden()


async def test_a_lock_that_fails_at_the_set_up_is_left_out(desk: Screen, phone: Screen, platform: Platform) -> None:
    """Each step says so and has a way on; what was made in vain, the platform forgets."""
    await desk.press("Sign in", exact=True)
    await desk.press("Set up now")
    await desk.press("Approve on your phone instead")
    await scan(desk, phone)
    await platform.recognises(False)
    await phone.press("Set up this phone")
    await phone.says(OFFER)
    await phone.looks_right("authenticator-lock", waits=True)
    await phone.press("Lock approvals", exact=True)
    await phone.says(NOT_RECOGNISED)
    await phone.looks_right("authenticator-lock-wrong", waits=True)
    await platform.recognises(True)
    await phone.press("Lock approvals", exact=True)
    await phone.says("Enter the number beside the picture.")
    await platform.recognises(False)
    sent = answers_of(phone)
    await phone.page.fill("#number", await number_of(desk))
    await phone.press("Confirm")
    await phone.says("so nothing was sent")
    assert sent == []
    await phone.looks_right("authenticator-lock-number", waits=True)
    await phone.press("Set up without the lock")
    await desk.says("Save your backup codes.")
    await phone.press("Not now")
    await phone.says("Nothing is waiting.")
    await expect(phone.page.get_by_text("Asks for your fingerprint")).to_be_hidden()
    assert await platform.credentials() == []


async def test_a_set_up_that_was_given_up_leaves_no_lock(desk: Screen, phone: Screen, platform: Platform) -> None:
    """Cancelled, or with a wrong number."""
    await desk.press("Sign in", exact=True)
    await desk.press("Set up now")
    await desk.press("Approve on your phone instead")
    for ends in ("cancelled", "wrong"):
        await scan(desk, phone)
        await phone.press("Set up this phone")
        await phone.press("Lock approvals")
        await phone.says("Enter the number beside the picture.")
        assert len(await platform.credentials()) == 1
        if ends == "cancelled":
            await phone.press("Cancel")
            await phone.says("Set up this phone.")
            await desk.press("Get a new picture")
        else:
            await phone.page.fill("#number", "000000" if await number_of(desk) != "000000" else "000001")
            await phone.press("Confirm")
            await phone.says("That wasn't the number, so this phone was not set up.")
        assert await platform.credentials() == []


async def test_a_keyboard_is_enough_for_the_lock(desk: Screen, phone: Screen, platform: Platform) -> None:
    """Tab and Enter lock, and Enter tries again where the number was typed."""
    await desk.press("Sign in", exact=True)
    await desk.press("Set up now")
    await desk.press("Approve on your phone instead")
    await scan(desk, phone)
    await phone.press("Set up this phone")
    await phone.says(OFFER)
    await expect(phone.page.locator("h1")).to_be_focused()
    await phone.page.keyboard.press("Tab")
    await phone.page.keyboard.press("Enter")
    await phone.says("Enter the number beside the picture.")
    await expect(phone.page.locator("#number")).to_be_focused()
    await platform.recognises(False)
    await phone.page.keyboard.type(await number_of(desk))
    await phone.page.keyboard.press("Enter")
    await phone.says(NOT_RECOGNISED)
    await expect(phone.page.locator("#number")).to_be_focused()
    await platform.recognises(True)
    await phone.page.keyboard.press("Enter")
    await desk.says("Save your backup codes.")


async def test_no_platform_no_offer(desk: Screen, phone: Screen) -> None:
    """A browser that cannot verify its user is set up as ever."""
    await desk.press("Sign in", exact=True)
    await desk.press("Set up now")
    await desk.press("Approve on your phone instead")
    await phone.page.add_init_script("delete globalThis.PublicKeyCredential")
    await scan(desk, phone)
    await phone.press("Set up this phone")
    await phone.says("Enter the number beside the picture.")


@pytest.mark.parametrize("alg", [-7, -257])
async def test_the_phone_checks_what_its_platform_says(phone: Screen, alg: int) -> None:
    """All that a server would: what for, where, by whom, verified, and signed by the credential of this account."""
    await phone.go("/authenticator")
    for _ in range(8):  # of ECDSA's integers some are shorter, some have a zero before them
        assert await phone.page.evaluate(CHECK, [alg, {}]) is True
    for wrong in WRONG:
        assert await phone.page.evaluate(CHECK, [alg, wrong]) == "Unrecognized", wrong
