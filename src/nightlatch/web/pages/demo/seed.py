"""Thirty days of sample people, made by the real use cases under a clock that stands in the past."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from nightlatch.app.answer import answer
from nightlatch.app.authenticate import authenticate
from nightlatch.app.challenge import open_challenge
from nightlatch.app.context import Caller, Ports
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.messages import (
    Activation,
    AuthenticationAnswer,
    ContextIn,
    NewAuthentication,
    NewChallenge,
    NewFactor,
    NewUser,
    NewVerification,
)
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.skip import skip
from nightlatch.app.users.create import create_user
from nightlatch.domain.factors import totp
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.seed import decode_secret
from nightlatch.domain.records import UserKind
from nightlatch.domain.time import DAY, HOUR, MINUTE, SECOND, moment
from nightlatch.web.pages.demo.letterbox import PastStore, PastTexting
from nightlatch.web.pages.demo.people import EVERYBODY, MAYA, Person

DAYS = 30

POLICY = """\
# The policy of the demo: the article's own, word for word, what a browser may be remembered for, and texts.
mfa_enforcement:
  all_users: true
  grace_period: 30_days
  exclude_service_accounts: true
  risk_based_prompting:
    - new_device: prompt_mfa
    - new_location: prompt_mfa
    - sensitive_action: require_mfa
  recovery:
    backup_codes: 10
    admin_recovery: verify_with_id
    recovery_timeout: 24_hours
remember_device:
  for: 14_days
# Texts alone will do here, so that there is somebody to be guided to something better.
factors:
  sms: {only_with_alternative: false}
"""

_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile",
)


@dataclass
class PastClock:
    """Stands where the story is."""

    at: int

    def now(self) -> int:
        """The instant of the story."""
        return self.at


@dataclass
class Past:
    """What the story has come to for one person."""

    person: Person
    texts: PastStore
    device_token: str | None = None
    backup_codes: list[str] = field(default_factory=list)


def chance(*what: object) -> float:
    """A number from 0 to 1 that is always the same for the same thing, so that every demo tells one story."""
    digest = hashlib.sha256("|".join(map(str, what)).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


async def seed(ports: Ports, bank: Caller, operator: Caller) -> None:
    """Fill an empty demo. ``bank`` and ``operator`` are whoever did these things."""
    now = ports.clock.now()
    clock = PastClock(now - (DAYS + 4) * DAY)
    texts = PastStore(ports.store, ports.sealer)
    past = dataclasses.replace(ports, clock=clock, store=texts, texting=PastTexting())
    await apply_policy(past, operator, POLICY, None)
    lives = {person.username: Past(person, texts) for person in EVERYBODY}
    for at, person, what in sorted(_story(now), key=lambda event: event[0]):
        clock.at = at
        await _STEPS[what](past, bank, lives[person.username])


def _story(now: int) -> Iterator[tuple[int, Person, str]]:
    """When, who, what. Days begin at midnight UTC; people sign in between seven and eight."""
    midnight = now - now % DAY
    for person in EVERYBODY:
        begun = now - MINUTE if person is MAYA else midnight - person.since * DAY + 7 * HOUR
        yield begun, person, "join"
        if person.app:
            yield begun + HOUR, person, "enroll"
        if person.texts:
            yield begun + HOUR, person, "text"
        for day in range(person.since if person is not MAYA else 0, 0, -1):
            start = midnight - day * DAY
            if moment(start).weekday() >= 5 and not person.service:
                continue
            if person.service:
                yield start + 2 * HOUR, person, "call"
            elif chance(person.username, day) < 0.8:
                hour = 8 + int(10 * chance(person.username, day, "hour"))
                yield start + hour * HOUR + int(50 * chance(day, person.username)) * MINUTE, person, "sign in"


async def _join(past: Ports, bank: Caller, life: Past) -> None:
    person = life.person
    service = person.service
    await create_user(
        past,
        bank,
        NewUser(
            username=person.username,
            display_name=person.name,
            kind=UserKind.SERVICE if service else UserKind.PERSON,
            owner="amara" if service else None,
            expires_at=moment(past.clock.now()) + dt.timedelta(days=400) if service else None,
            networks=["127.0.0.0/8", "198.51.100.0/24"] if service else [],
            emails=[] if service else [f"{person.username}@meridian.example"],
        ),
    )


async def _enroll(past: Ports, bank: Caller, life: Past) -> None:
    person = life.person
    new = NewFactor(kind=FactorKind.TOTP, label=f"{person.name.split()[0]}'s phone", secret=person.secret)
    enrolled = await enroll_factor(past, bank, person.username, new)
    activation = Activation(code=_code(past, person))
    active = await activate_factor(past, bank, person.username, enrolled.id, activation)
    life.backup_codes = active.backup_codes or []


async def _text(past: Ports, bank: Caller, life: Past) -> None:
    person = life.person
    new = NewFactor(kind=FactorKind.SMS, label=f"{person.name.split()[0]}'s phone", phone=person.number)
    enrolled = await enroll_factor(past, bank, person.username, new)
    active = await activate_factor(past, bank, person.username, enrolled.id, Activation(code=life.texts.code))
    life.backup_codes = active.backup_codes or []


async def _sign_in(past: Ports, bank: Caller, life: Past) -> None:
    person, day = life.person, past.clock.now() // DAY
    attempt = await _attempt(past, bank, life)
    if attempt.decision == "allow":
        life.device_token = attempt.device_token
        return
    if attempt.decision == "enroll":
        if attempt.grace_ends_at is not None and attempt.grace_ends_at > moment(past.clock.now()):
            await skip(past, bank, attempt.id)
        return
    if attempt.decision == "deny":
        return
    if chance(person.username, day, "typo") < 0.15:
        await answer(past, bank, attempt.id, NewVerification(code="000000"))
    code = await _texted(past, bank, life, attempt) if person.texts else _code(past, person)
    if chance(person.username, day, "phone") < 0.06 and life.backup_codes:
        code = life.backup_codes.pop()
    answered = await answer(past, bank, attempt.id, NewVerification(code=code, remember_device=True))
    life.device_token = answered.device_token or life.device_token


async def _call(past: Ports, bank: Caller, life: Past) -> None:
    await _attempt(past, bank, life)


async def _attempt(past: Ports, bank: Caller, life: Past) -> AuthenticationAnswer:
    person, day = life.person, past.clock.now() // DAY
    number = sum(person.username.encode()) % 200
    travels = chance(person.username, day, "travel") < 0.1
    other_browser = chance(person.username, day, "browser") < 0.12
    return await authenticate(
        past,
        bank,
        NewAuthentication(
            user=person.username,
            context=ContextIn(
                ip=f"203.0.113.{number}" if travels else f"198.51.100.{number}",
                user_agent=None if person.service else _BROWSERS[(number + other_browser) % len(_BROWSERS)],
                device_token=None if other_browser else life.device_token,
            ),
        ),
    )


def _code(past: Ports, person: Person) -> str:
    return totp.code_at(decode_secret(person.secret), past.clock.now() // SECOND * SECOND)


async def _texted(past: Ports, bank: Caller, life: Past, attempt: AuthenticationAnswer) -> str:
    number = next(factor.id for factor in attempt.factors if factor.kind is FactorKind.SMS)
    await open_challenge(past, bank, attempt.id, NewChallenge(factor=number))
    return life.texts.code


_STEPS = {"join": _join, "enroll": _enroll, "text": _text, "sign in": _sign_in, "call": _call}
