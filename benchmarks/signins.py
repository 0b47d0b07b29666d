"""Sign-ins that are approved on a phone, from both ends: the application that waits, and the phone that answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from benchmarks.people import People
from benchmarks.phones import LIST, Phone
from benchmarks.wire import Answer, Connection, get, post

START = "/v1/authentications"
LONGEST_WAIT = 30


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked. ``bank`` and ``phones`` are ports, of one server or of two, which ``aud`` stands for; ``key`` is
    the application's, and these people, from ``first`` on, have done nothing in the last minutes.
    """

    bank: int
    phones: int
    aud: str
    key: str
    prefix: str
    first: int
    people: int


class Refused(Exception):
    """The server said something else than it should."""


@dataclass(eq=False)
class SignIn:
    """One that waits for the phone of user 0, 1, …, and what its page shows."""

    number: int
    path: str
    user: str
    factor: str
    challenge: str
    shown: str
    told: asyncio.Future[float] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Crowd:
    """People, their application, and their phones."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._people = People(place.first + place.people, place.prefix)
        self._key = f"Bearer {place.key}"

    async def open(self, number: int, bank: Connection) -> SignIn:
        """The application begins a sign-in and has the phone asked."""
        body = {"user": self._people.username(number), "context": {"ip": address(number)}}
        begun = _good(await bank.ask(post(START, body, key=self._key)), 201)
        path, factor = f"{START}/{begun['id']}", begun["factors"][0]["id"]
        asked = _good(await bank.ask(post(f"{path}/challenges", {"factor": factor}, key=self._key)), 201)
        return SignIn(number, path, begun["user"], factor, asked["id"], asked["number"])

    async def approval(self, sign_in: SignIn, phone: Connection) -> bytes:
        """The phone fetches what is asked, and its owner types the number; the request that it will send."""
        holder = Phone(sign_in.number, self._place.aud)
        listed = _good(await phone.ask(get(LIST, key=holder.asks(sign_in.factor))))
        (challenge,) = listed["challenges"]
        if challenge["id"] != sign_in.challenge:
            raise Refused(f"{challenge['id']} waits for the phone, {sign_in.challenge} was asked")
        response = holder.approves(sign_in.user, challenge, sign_in.shown)
        return post(f"{LIST}/{sign_in.challenge}/response", {"response": response})

    async def wait(self, sign_in: SignIn, bank: Connection) -> None:
        """The application waits for the result. ``told`` has when it came, or what it was instead."""
        asked = get(f"{sign_in.path}?wait={LONGEST_WAIT}", key=self._key)
        try:
            while b'"status":"pending"' in (answer := await bank.ask(asked)).body:
                pass
            if b'"status":"approved"' not in answer.body or b'"assertion":"ey' not in answer.body:
                raise Refused(f"{sign_in.path}: {answer.status} {answer.body[:400]!r}")
        except Exception as error:  # noqa: BLE001 (handed to whoever looks)
            sign_in.told.set_exception(error)
        else:
            sign_in.told.set_result(answer.at)


async def approve(response: bytes, phone: Connection) -> Answer:
    """The phone sends its answer, which counts, or ``Refused`` is raised."""
    answer = await phone.ask(response)
    if _good(answer) != {"status": "approved"}:
        raise Refused(repr(answer.body))
    return answer


def address(number: int) -> str:
    """Where this user sits."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def figures(seconds: Iterable[float]) -> tuple[float, float, float]:
    """p50, p99 and worst in ms."""
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2] * 1e3, ordered[len(ordered) * 99 // 100] * 1e3, ordered[-1] * 1e3


def _good(answer: Answer, status: int = 200) -> dict[str, Any]:
    if answer.status != status:
        raise Refused(f"{answer.status} {answer.body[:400]!r}")
    return answer.json()
