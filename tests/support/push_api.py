"""A person with a paired phone, over the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.api import CONTEXT, Api, Application
from tests.support.phones import PushPhone
from tests.support.ports import SITE


@dataclass
class Held:
    """A person with a paired phone, at a bank."""

    api: Api
    bank: Application
    user: str
    phone: PushPhone
    backup_codes: list[str]

    async def begin(self, **fields: Any) -> str:
        """The path of a sign-in that waits."""
        body = {"user": self.user, "context": CONTEXT} | fields
        begun = await self.bank("POST", "/v1/authentications", body)
        assert begun.json()["decision"] == "challenge", begun.text
        return f"/v1/authentications/{begun.json()['id']}"

    async def ask(self, path: str, **fields: Any) -> Any:
        """Ask the phone for this sign-in."""
        return await self.bank("POST", f"{path}/challenges", {"factor": self.phone.factor} | fields)

    async def asked(self, path: str, **fields: Any) -> tuple[dict[str, Any], str]:
        """The challenge as the phone sees it, and the number that the sign-in shows."""
        opened = await self.ask(path, **fields)
        assert opened.status_code == 201, opened.text
        (challenge,) = await self.phone.waiting(self.api.http)
        assert challenge["id"] == opened.json()["id"]
        return challenge, opened.json()["number"]

    async def answer(self, challenge: dict[str, Any], decision: str, number: str | None = None, **fields: Any) -> str:
        """What the server says to an answer."""
        answered = await self.phone.answer(self.api.http, challenge, decision, number, **fields)
        assert answered.status_code == 200, answered.text
        return str(answered.json()["status"])


async def enrolled(api: Api, bank: Application, user: str, **fields: Any) -> dict[str, Any]:
    """A pairing that was begun."""
    begun = await bank("POST", f"/v1/users/{user}/factors", {"kind": "push"} | fields)
    assert begun.status_code == 201, begun.text
    answer: dict[str, Any] = begun.json()
    return answer


async def held(api: Api, username: str = "maya", **fields: Any) -> Held:
    """A person with a paired phone."""
    bank = await api.application(name=f"bank of {username}")
    user = await api.person(bank, username)
    begun = await enrolled(api, bank, user)
    phone = PushPhone(SITE.public_url, api.world.clock)
    answered = await phone.pair(api.http, begun["enrollment"], **fields)
    assert answered.json() == {"status": "approved"}
    active = await bank("POST", f"/v1/users/{user}/factors/{begun['id']}/activation", {})
    assert active.status_code == 200, active.text
    return Held(api, bank, user, phone, active.json()["backup_codes"])
