"""Use cases on real parts: a database of the test's own, real keys, real Argon2. The clock is set by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from nightlatch.adapters.cache.policies import CachedPolicies
from nightlatch.adapters.delivery.texting import PlainTexting
from nightlatch.adapters.keys.argon2 import Argon2Hasher
from nightlatch.adapters.keys.kek import KeyEncryptionKey
from nightlatch.adapters.keys.keyring import KeyRing
from nightlatch.adapters.keys.maker import FreshKeys
from nightlatch.adapters.keys.signer import Es256Signer
from nightlatch.adapters.memory.ephemeral import MemoryEphemeral
from nightlatch.adapters.memory.wakeups import InProcessWakeUps
from nightlatch.adapters.sql.catalog import SqlCatalog
from nightlatch.adapters.sql.directory import SqlDirectory
from nightlatch.adapters.sql.engine import Database, open_database
from nightlatch.adapters.sql.outbox import SqlOutbox
from nightlatch.adapters.sql.sequencer import Sequencer
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.adapters.sql.texts import SqlTextRecords
from nightlatch.adapters.system import SystemEntropy
from nightlatch.app.answer import answer
from nightlatch.app.applications.by_key import caller_by_key
from nightlatch.app.applications.create import create_application
from nightlatch.app.audit_events import export_events
from nightlatch.app.authenticate import authenticate
from nightlatch.app.context import Caller, Ports, Site
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.keys.make import make_first_keys
from nightlatch.app.messages import (
    ActivatedFactor,
    Activation,
    ContextIn,
    EventAnswer,
    NewApplication,
    NewAuthentication,
    NewFactor,
    NewUser,
    NewVerification,
    UserAnswer,
)
from nightlatch.app.users.create import create_user
from nightlatch.domain.factors import hotp, totp
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.otpauth import OtpauthUri, parse
from nightlatch.domain.factors.seed import encode_secret
from nightlatch.domain.policy.defaults import DEFAULT_VERSION
from nightlatch.domain.records import POLICY_ROOT, PolicyVersion
from nightlatch.domain.time import SECOND
from nightlatch.ports.directory import EventFilter
from nightlatch.ports.store import Change, Outcome
from tests.support.codes import distinct_secret

START = 1_766_000_000 * SECOND
SITE = Site(public_url="https://mfa.example", issuer="Example", ntfy_servers=("https://ntfy.example",))
OPERATOR = Caller("operator:cli:test", scopes=frozenset({"admin"}))


@dataclass
class SetClock:
    """A clock that stands still until it is moved."""

    at: int = START

    def now(self) -> int:
        """The instant that was set."""
        return self.at

    def advance(self, duration: int) -> None:
        """Let so many µs pass."""
        self.at += duration


@dataclass
class Phone:
    """An authenticator app: it knows what it scanned, and what the clock says."""

    clock: SetClock
    factor_id: str
    scanned: OtpauthUri
    presses: int = field(default=0)

    def code(self, offset: int = 0) -> str:
        """The code of now, or of so many periods later."""
        period = self.scanned.period * SECOND
        return totp.code_at(self.scanned.secret, self.clock.now() + offset * period, self.scanned.parameters())

    def press(self) -> str:
        """The next HOTP code."""
        self.presses += 1
        return hotp.code_at(self.scanned.secret, self.scanned.counter + self.presses - 1, self.scanned.digits)

    def wrong(self) -> str:
        """A code of the right form that is not right now, nor a period to either side, nor in the presses to come."""
        right = {self.code(offset) for offset in (-1, 0, 1)}
        first = self.scanned.counter + self.presses
        right |= {hotp.code_at(self.scanned.secret, first + ahead, self.scanned.digits) for ahead in range(100)}
        return next(code for code in (f"{n:0{self.scanned.digits}d}" for n in range(9)) if code not in right)


@dataclass
class World:
    """Ports on real parts, and short ways to what most tests begin with."""

    ports: Ports
    clock: SetClock
    database: Database
    sequencer: Sequencer

    async def application(self, name: str = "bank", *scopes: str, **fields: object) -> Caller:
        """A registered application, as it calls."""
        new = NewApplication(name=name, scopes=list(scopes or ("admin",)), first_factor="pwd")
        created = await create_application(self.ports, OPERATOR, new)
        return await caller_by_key(self.ports, created.api_key)

    async def person(self, caller: Caller, username: str = "maya") -> UserAnswer:
        """A person without factors."""
        return await create_user(self.ports, caller, NewUser(username=username, display_name="Maya"))

    async def begun(self, caller: Caller, user: str, kind: FactorKind = FactorKind.TOTP, **fields: str) -> Phone:
        """A pending factor, scanned."""
        if kind is FactorKind.HOTP:
            fields.setdefault("secret", encode_secret(distinct_secret()))
        enrolled = await enroll_factor(self.ports, caller, user, NewFactor(kind=kind, **fields))  # type: ignore[arg-type]
        return Phone(self.clock, enrolled.id, parse(enrolled.enrollment.uri))

    async def activated(
        self, caller: Caller, user: str, kind: FactorKind = FactorKind.TOTP, **fields: str
    ) -> tuple[Phone, ActivatedFactor]:
        """An active factor; the clock has moved on by a period, so that its next code is a new one."""
        phone = await self.begun(caller, user, kind, **fields)
        code = phone.code() if kind is FactorKind.TOTP else phone.press()
        active = await activate_factor(self.ports, caller, user, phone.factor_id, Activation(code=code))
        self.clock.advance(30 * SECOND)
        return phone, active

    async def approval(self, caller: Caller, user: str, code: str, *, action: str = "manage_factors") -> str:
        """The id of an authentication that the owner approved with this code; the clock moves on by a period."""
        begun = await authenticate(
            self.ports, caller, NewAuthentication(user=user, action=action, context=ContextIn(ip="192.0.2.1"))
        )
        answered = await answer(self.ports, caller, begun.id, NewVerification(code=code))
        assert answered.status == "approved", answered
        self.clock.advance(30 * SECOND)
        return begun.id

    async def had_policy(self, text: str) -> None:
        """A document is in force that this version would not put there: an earlier one did."""
        newest = await self.ports.catalog.policy()
        current = newest.version if newest else DEFAULT_VERSION
        version = PolicyVersion(version=current + 1, text=text, actor=OPERATOR.actor, created_at=self.clock.now())
        change = Change(root=POLICY_ROOT, expected=current, new=(version,), shared=True)
        assert await self.ports.store.commit(change) is Outcome.APPLIED

    async def events(self, type_: str | None = None) -> list[EventAnswer]:
        """Everything in the audit log, or all of one type, in order."""
        await self.sequencer.drain()
        return [event async for event in export_events(self.ports, OPERATOR, EventFilter(type=type_))]


@asynccontextmanager
async def open_world(url: str) -> AsyncIterator[World]:
    """A migrated database, which gets its first keys."""
    database = open_database(url)
    clock, entropy = SetClock(), SystemEntropy()
    catalog, store = SqlCatalog(database), SqlStore(database)
    kek = KeyEncryptionKey(entropy.bytes(32), "the test's key")
    ring = KeyRing(kek, clock, entropy)
    signer = Es256Signer(ring, clock)
    hasher = Argon2Hasher()
    outbox = SqlOutbox(database, clock, entropy)
    ports = Ports(
        store=store,
        outbox=outbox,
        directory=SqlDirectory(database),
        catalog=catalog,
        clock=clock,
        entropy=entropy,
        sealer=ring,
        signer=signer,
        hasher=hasher,
        ephemeral=MemoryEphemeral(clock),
        wakeups=InProcessWakeUps(),
        policies=CachedPolicies(catalog),
        texting=PlainTexting(gateways=True),
        texts=SqlTextRecords(database),
        site=SITE,
    )
    kept = await make_first_keys(ports, OPERATOR, FreshKeys(kek, entropy))
    ring.load(kept)
    signer.load(kept)
    try:
        yield World(ports, clock, database, Sequencer(database))
    finally:
        await store.close()
        await outbox.close()
        await database.close()
        hasher.close()
