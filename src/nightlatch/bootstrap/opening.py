"""Open everything that use cases need, in order, and close it in reverse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from nightlatch.adapters.cache import CachedCatalog, CachedPolicies, FreshStore, Shared
from nightlatch.adapters.delivery.texting import PlainTexting
from nightlatch.adapters.keys import Argon2Hasher, Es256Signer, FreshKeys, KeyEncryptionKey, KeyRing
from nightlatch.adapters.letters import JinjaMailRenderer
from nightlatch.adapters.memory.wakeups import InProcessWakeUps
from nightlatch.adapters.sql.budgets import SqlBudgets
from nightlatch.adapters.sql.catalog import SqlCatalog
from nightlatch.adapters.sql.directory import SqlDirectory
from nightlatch.adapters.sql.engine import Database, open_database
from nightlatch.adapters.sql.outbox import SqlOutbox
from nightlatch.adapters.sql.resealing import SqlResealing
from nightlatch.adapters.sql.sequencer import Sequencer
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.adapters.sql.texts import SqlTextRecords
from nightlatch.adapters.system import SystemClock, SystemEntropy
from nightlatch.app.context import Caller, Ports, Site
from nightlatch.app.keys.make import make_first_keys
from nightlatch.app.texts.permit import BudgetedTexting
from nightlatch.bootstrap.background import background
from nightlatch.bootstrap.delivery import Outlets, WakingStore, delivering
from nightlatch.bootstrap.errors import explained
from nightlatch.bootstrap.outlets import OpenOutlets, open_outlets
from nightlatch.bootstrap.preparing import check_migrated, key_encryption_key, migrate, wrapping_under
from nightlatch.bootstrap.waking import open_ephemeral, open_wakeups
from nightlatch.config import Settings
from nightlatch.ports.catalog import Catalog
from nightlatch.ports.ephemeral import LocalWakeUps
from nightlatch.ports.outbox import Outbox
from nightlatch.ports.rotation import KeyMaker, KeyWrapping, Resealing
from nightlatch.ports.store import Store
from nightlatch.ports.texting import Texting
from nightlatch.ports.world import Clock, Entropy

SYSTEM = Caller("system")

StoreWrapper = Callable[[Store], Store]
OutboxWrapper = Callable[[Outbox], Outbox]


@dataclass(frozen=True)
class Opened:
    """Open ports, and what only operators need beside them."""

    ports: Ports
    settings: Settings
    database: Database
    keys: KeyMaker
    wrapping_under: Callable[[Path], KeyWrapping]
    resealing: Resealing
    sequencer: Sequencer
    shared: Shared
    queued: LocalWakeUps
    """Woken when this process queued a message."""
    outlets: Outlets = field(default_factory=Outlets)


@dataclass(frozen=True)
class _World:
    clock: Clock
    entropy: Entropy


@asynccontextmanager
async def open_ports(
    settings: Settings,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    make: bool = True,
) -> AsyncIterator[Ports]:
    """Ports with everything that runs beside requests: caches watched, audit numbered, rows swept.

    With ``make`` a database is migrated, and keys are made where it holds none; without, both must
    be there. Raises ``CannotStart``.
    """
    async with open_everything(settings, clock=clock, entropy=entropy, make=make) as opened:
        yield opened.ports


@asynccontextmanager
async def open_everything(
    settings: Settings,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    make: bool = True,
    wrap_store: StoreWrapper = lambda store: store,
    wrap_outbox: OutboxWrapper = lambda outbox: outbox,
    outlets: OpenOutlets = open_outlets,
) -> AsyncIterator[Opened]:
    """As ``open_ports``, with the parts that servers need as well. ``outlets`` opens what messages leave through."""
    world = _World(clock or SystemClock(), entropy or SystemEntropy())
    if make:
        await migrate(settings, world.clock)
    else:
        await check_migrated(settings, world.clock, make=False)
    async with (
        _opened(settings, world, make=make, wrap_store=wrap_store) as opened,
        background(opened.database, opened.shared, opened.sequencer, world.clock),
        AsyncExitStack() as stack,
    ):
        ports = replace(opened.ports, outbox=wrap_outbox(opened.ports.outbox))
        ways = await outlets(settings, ports, stack)
        ports = replace(ports, texting=_texting(settings, opened, ways), mailing=ports.mailing if ways.mail else None)
        await stack.enter_async_context(delivering(ports, ways, opened.queued))
        yield replace(opened, ports=ports, outlets=ways)


def _texting(settings: Settings, opened: Opened, ways: Outlets) -> Texting:
    """Texts are permitted where a gateway, no pause, nobody's objection and a budget let them go."""
    ports = opened.ports
    return BudgetedTexting(
        budgets=SqlBudgets(opened.database, ports.clock),
        records=ports.texts,
        sealer=ports.sealer,
        clock=ports.clock,
        caps=settings.sms.caps,
        gateways=bool(ways.texts),
        voip_numbers=settings.sms.voip_numbers,
        veto=ways.veto,
    )


async def prepare(settings: Settings) -> None:
    """Migrate, and make keys at the first start: once, by the parent, before workers start."""
    world = _World(SystemClock(), SystemEntropy())
    await migrate(settings, world.clock)
    async with _opened(settings, world, make=True, wrap_store=lambda store: store):
        pass


@asynccontextmanager
async def open_beside(settings: Settings, *, make: bool = False) -> AsyncIterator[Opened]:
    """Open beside a server that may be running: nothing runs in the background.

    What was committed before is numbered first, and what was done here at the end, since there may
    be no server that does. With ``make`` an empty database is set up; one that is there is never
    migrated, since a server of another version may be using it.
    """
    world = _World(SystemClock(), SystemEntropy())
    await check_migrated(settings, world.clock, make=make)
    async with _opened(settings, world, make=make, wrap_store=lambda store: store) as opened:
        await opened.sequencer.drain()
        try:
            yield opened
        finally:
            await opened.sequencer.drain()


@asynccontextmanager
async def _opened(settings: Settings, world: _World, *, make: bool, wrap_store: StoreWrapper) -> AsyncIterator[Opened]:
    async with AsyncExitStack() as stack:
        with explained():
            opened = await _wired(settings, world, stack, make=make, wrap_store=wrap_store)
        yield opened


async def _wired(
    settings: Settings,
    world: _World,
    stack: AsyncExitStack,
    *,
    make: bool,
    wrap_store: StoreWrapper,
) -> Opened:
    database = open_database(settings.database_url)
    stack.push_async_callback(database.close)
    catalog = SqlCatalog(database)
    shared = Shared(catalog, world.clock)
    kek = key_encryption_key(settings, await catalog.keys(), world.entropy, make=make)
    maker = FreshKeys(kek, world.entropy)
    ring, signer = _keys(kek, world, catalog, shared)
    rows = SqlStore(database)
    stack.push_async_callback(rows.close)
    queued = InProcessWakeUps()
    store = wrap_store(WakingStore(FreshStore(rows, shared, ring.knows), queued))
    ports = await _ports(settings, world, stack, database, store, CachedCatalog(catalog, shared), ring, signer)
    if make:
        await make_first_keys(ports, SYSTEM, maker)
    await shared.look()
    return Opened(
        ports=ports,
        settings=settings,
        database=database,
        keys=maker,
        wrapping_under=partial(wrapping_under, old=kek, entropy=world.entropy),
        resealing=SqlResealing(database),
        sequencer=Sequencer(database),
        shared=shared,
        queued=queued,
    )


async def _ports(
    settings: Settings,
    world: _World,
    stack: AsyncExitStack,
    database: Database,
    store: Store,
    catalog: Catalog,
    ring: KeyRing,
    signer: Es256Signer,
) -> Ports:
    hasher = Argon2Hasher()
    stack.callback(hasher.close)
    outbox = SqlOutbox(database, world.clock, world.entropy)
    stack.push_async_callback(outbox.close)
    return Ports(
        store=store,
        outbox=outbox,
        directory=SqlDirectory(database),
        catalog=catalog,
        clock=world.clock,
        entropy=world.entropy,
        sealer=ring,
        signer=signer,
        hasher=hasher,
        ephemeral=await open_ephemeral(settings, database, world.clock, stack),
        wakeups=await open_wakeups(settings, database, stack),
        policies=CachedPolicies(catalog),
        # Beside a server nothing is sent; what serves learns of its gateways when they are open.
        texting=PlainTexting(gateways=False),
        texts=SqlTextRecords(database),
        site=Site(
            public_url=settings.public_url,
            issuer=settings.issuer,
            organization=settings.brand.name,
            ntfy_servers=settings.push.ntfy_servers,
        ),
        prices=settings.sms.prices,
        # Also beside a server, which sends what is queued here.
        mailing=JinjaMailRenderer(settings.brand) if settings.mail else None,
    )


def _keys(kek: KeyEncryptionKey, world: _World, catalog: Catalog, shared: Shared) -> tuple[KeyRing, Es256Signer]:
    """The ring and the signer, loaded with the first look and whenever something shared changes."""
    ring = KeyRing(kek, world.clock, world.entropy)
    signer = Es256Signer(ring, world.clock)

    async def reload() -> None:
        kept = await catalog.keys()
        ring.load(kept)
        signer.load(kept)

    shared.on_change(reload)
    return ring, signer
