"""What every use case is handed: the ports, the site, and who calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from nightlatch.app.waiters import Waiters
from nightlatch.domain.ids import ENTROPY_BYTES, new_id
from nightlatch.domain.policy.compiled import CompiledPolicy
from nightlatch.domain.records import Application
from nightlatch.domain.sms.prices import Prices
from nightlatch.ports.catalog import Catalog
from nightlatch.ports.directory import Directory
from nightlatch.ports.ephemeral import Ephemeral, WakeUps
from nightlatch.ports.keys import Sealer, Signer, SlowHasher
from nightlatch.ports.mailing import MailRenderer
from nightlatch.ports.outbox import Outbox
from nightlatch.ports.store import Store
from nightlatch.ports.texting import Texting
from nightlatch.ports.texts import TextRecords
from nightlatch.ports.world import Clock, Entropy


class Policies(Protocol):
    """The policy in force, compiled once per version."""

    async def current(self) -> CompiledPolicy: ...


@dataclass(frozen=True, slots=True)
class Site:
    """Who we are to the outside.

    ``public_url`` has no trailing slash and is the ``iss`` of assertions; ``issuer`` is the name that
    authenticator apps show. ``ntfy_servers`` are those that a phone may name a topic of.
    """

    public_url: str
    issuer: str
    organization: str = "Nightlatch"
    ntfy_servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside, as use cases see it. Made by bootstrap alone."""

    store: Store
    outbox: Outbox
    directory: Directory
    catalog: Catalog
    clock: Clock
    entropy: Entropy
    sealer: Sealer
    signer: Signer
    hasher: SlowHasher
    ephemeral: Ephemeral
    wakeups: WakeUps
    policies: Policies
    texting: Texting
    texts: TextRecords
    site: Site
    prices: Prices | None = None
    mailing: MailRenderer | None = None
    """Without one there is no mail server, and no mail is queued."""
    waiters: Waiters = field(default_factory=Waiters)

    def new_id(self, prefix: str, now: int) -> str:
        """A fresh id of this type."""
        return new_id(prefix, now, self.entropy.bytes(ENTROPY_BYTES))


SCOPES = (
    "authenticate",
    "enroll",
    "users:read",
    "users:write",
    "policy:read",
    "policy:write",
    "recovery:open",
    "audit:read",
    "admin",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``actor`` goes into every event: ``application:app_…``, ``person:usr_…``,
    ``operator:cli:NAME`` or ``system``. ``key_hash`` is of the API key that came, where one did.
    """

    actor: str
    application: Application | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    key_hash: bytes | None = None

    @property
    def party(self) -> str:
        """Whose doing it is, wherever the key or the browser of one must not finish what another began."""
        return self.application.id if self.application else self.actor

    def may(self, scope: str) -> bool:
        """Whether the caller holds this scope, or all of them."""
        return scope in self.scopes or "admin" in self.scopes
