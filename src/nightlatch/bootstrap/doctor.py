"""Look at everything that a server needs, and say what is wrong and how to mend it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Literal

import msgspec

from nightlatch.adapters.cache import CachedPolicies
from nightlatch.adapters.delivery.options import GatewayOptions
from nightlatch.adapters.delivery.smtp import SmtpOptions, SmtpTransport
from nightlatch.adapters.keys import Es256Signer, KeyRing, KeyUnusable
from nightlatch.adapters.memory.wakeups import InProcessWakeUps
from nightlatch.adapters.sql import health
from nightlatch.adapters.sql.catalog import SqlCatalog
from nightlatch.adapters.sql.engine import Database, open_database
from nightlatch.adapters.sql.url import PostgresAddress, SqliteAddress, parse_address
from nightlatch.adapters.system import SystemClock, SystemEntropy
from nightlatch.bootstrap.errors import CannotStart, first_line
from nightlatch.bootstrap.gateways import kind_of, open_gateway
from nightlatch.bootstrap.preparing import Standing, check_migrated, key_encryption_key, standing_of
from nightlatch.bootstrap.waking import open_ephemeral
from nightlatch.config import Settings, is_loopback
from nightlatch.domain.errors import Unavailable
from nightlatch.domain.keys import sealing_keys
from nightlatch.domain.time import MINUTE, SECOND, rfc3339
from nightlatch.ports.outbox import Receipt

SKEW_TO_WARN = SECOND
SKEW_TO_FAIL = 15 * SECOND
"""Half a TOTP step: beyond it the codes of people whose phones are right begin to fail."""

LAG_TO_WARN = 10 * SECOND
LAG_TO_FAIL = 10 * MINUTE


_REACH = "See that it runs, and that database_url names it with the right password."
_POOLER = "startup parameter"
"""What PgBouncer complains about when it is asked for a session of one's own."""
_POOLED = (
    "It is a pooler: add ?statement_cache_size=0 to database_url, and set database_direct_url to "
    "the PostgreSQL server itself."
)


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is, what was seen, and how to mend it."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    mend: str | None = None


@dataclass(frozen=True)
class _Site:
    settings: Settings
    database: Database
    now: Callable[[], int]


Look = Callable[[_Site], Awaitable[Finding]]


async def diagnose(settings: Settings) -> AsyncIterator[Finding]:
    """Every finding in order; what rests on a database that failed is not looked at."""
    yield _public_url(settings)
    yield _data_dir(settings)
    standing = await _standing(settings)
    yield standing
    if standing.status == "fail":
        return
    database = open_database(settings.database_url)
    site = _Site(settings, database, SystemClock().now)
    try:
        for name, look in _LOOKS.items():
            if name in _POSTGRESQL_ONLY and settings.sqlite:
                continue
            if name == "valkey" and settings.valkey_url is None:
                continue
            yield await _guarded(name, look, site)
    finally:
        await database.close()
    for options in settings.sms.gateways:
        yield await _gateway(settings, options)
    if settings.mail is not None:
        yield await _mail(settings.mail)


async def _guarded(name: str, look: Look, site: _Site) -> Finding:
    try:
        return await look(site)
    except (CannotStart, KeyUnusable) as error:
        return Finding(name, "fail", str(error))
    except Unavailable as error:
        return Finding(name, "fail", first_line(error.__cause__ or error), "See that it runs and can be reached.")
    except Exception as error:  # noqa: BLE001 (whatever it is, the other findings are wanted too)
        return Finding(name, "fail", f"{type(error).__name__}: {first_line(error)}")


def _public_url(settings: Settings) -> Finding:
    name, url = "public url", settings.public_url
    if url.startswith("https://"):
        return Finding(name, "ok", url)
    if not is_loopback(settings.host):
        return Finding(
            name,
            "warn",
            f"{url} is for this machine only, but the server listens on {settings.host}",
            "Set public_url to the https address that people use.",
        )
    return Finding(name, "ok", f"{url} (this machine only)")


def _data_dir(settings: Settings) -> Finding:
    name, path = "data directory", settings.data_dir
    if not path.exists():
        return Finding(name, "ok", f"{path} (not needed yet)")
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        return Finding(name, "warn", f"{path} is open to others (mode {mode:04o})", f"chmod 700 {path}")
    return Finding(name, "ok", str(path))


async def _standing(settings: Settings) -> Finding:
    name = "database"
    try:
        standing = await standing_of(settings)
        if standing is not Standing.CURRENT:
            await check_migrated(settings, SystemClock(), make=False)
    except CannotStart as error:
        return Finding(name, "fail", str(error))
    except Unavailable as error:
        reason = first_line(error.__cause__ or error)
        return Finding(name, "fail", f"does not answer: {reason}", _POOLED if _POOLER in reason else _REACH)
    return Finding(name, "ok", f"answers, schema is current ({_where(settings)})")


async def _writes(site: _Site) -> Finding:
    version = await health.version(site.database)
    await health.write_and_roll_back(site.database, f"doctor:{site.now()}")
    return Finding("writing", "ok", f"{version} takes writes")


async def _durable(site: _Site) -> Finding:
    forgetful = await health.forgetful_settings(site.database)
    if forgetful:
        return Finding(
            "durability",
            "warn",
            f"the server may forget what it confirmed: {', '.join(forgetful)}",
            "Turn them on: after a power cut a used code could be used again.",
        )
    return Finding("durability", "ok", "what was confirmed survives a power cut")


async def _keys(site: _Site) -> Finding:
    kept = await SqlCatalog(site.database).keys()
    entropy, clock = SystemEntropy(), SystemClock()
    kek = key_encryption_key(site.settings, kept, entropy, make=False)
    ring = KeyRing(kek, clock, entropy)
    ring.load(kept)
    Es256Signer(ring, clock).load(kept)
    in_force = sealing_keys(kept.data_keys)
    if len(in_force) > 1:
        return Finding(
            "keys",
            "warn",
            f"{kek.where} opens all keys; a rotation was interrupted",
            "nightlatch keys rotate goes on where it was.",
        )
    return Finding("keys", "ok", f"{kek.where} opens all keys")


async def _clock(site: _Site) -> Finding:
    name, mend = "clock", "Let NTP set the clocks (timedatectl set-ntp true)."
    before = site.now()
    theirs = await health.clock_of(site.database)
    after = site.now()
    if theirs is not None:
        skew = max(before - theirs, theirs - after, 0)
        if skew > SKEW_TO_WARN:
            status: Literal["warn", "fail"] = "fail" if skew > SKEW_TO_FAIL else "warn"
            return Finding(name, status, f"{skew / SECOND:.1f} s apart from the database's clock", mend)
    newest = await health.newest_event(site.database)
    if newest is not None and newest > after + SKEW_TO_WARN:
        return Finding(name, "fail", f"the newest audit event is of {rfc3339(newest)}, in the future", mend)
    return Finding(name, "ok", rfc3339(after))


async def _policy(site: _Site) -> Finding:
    policy = await CachedPolicies(SqlCatalog(site.database)).current()
    shown = f"version {policy.version}" if policy.version else "the built-in default"
    return Finding("policy", "ok", f"{shown} is in force")


async def _audit(site: _Site) -> Finding:
    since = await health.oldest_unnumbered(site.database)
    lag = max(0, site.now() - since) if since is not None else 0
    if lag > LAG_TO_WARN:
        return Finding(
            "audit",
            "fail" if lag > LAG_TO_FAIL else "warn",
            f"events wait for their place in the sequence since {lag // SECOND} s",
            "A running server numbers them; see that one runs, and its log.",
        )
    return Finding("audit", "ok", "every event has its place in the sequence")


async def _prepared(site: _Site) -> Finding:
    from nightlatch.adapters.sql.pooling import prepared_statements_work

    name, address = "prepared statements", _address(site.settings.database_url)
    if not address.statements_kept:
        return Finding(name, "ok", "none are kept (statement_cache_size=0)")
    if await prepared_statements_work(address):
        return Finding(name, "ok", "they outlive a transaction")
    return Finding(
        name,
        "fail",
        "a pooler in between loses prepared statements",
        "Set max_prepared_statements in PgBouncer (1.21 and newer), or add ?statement_cache_size=0 to database_url.",
    )


async def _wakeups(site: _Site) -> Finding:
    from nightlatch.adapters.sql.pooling import wakeups_arrive

    name, settings = "wake-ups", site.settings
    direct = settings.database_direct_url or settings.database_url
    address = _address(settings.database_url)
    if await wakeups_arrive(InProcessWakeUps(), InProcessWakeUps(), address, direct):
        return Finding(name, "ok", "what one process notifies wakes another")
    return Finding(
        name,
        "fail",
        "LISTEN hears nothing; waiters answer late",
        "Set database_direct_url to the PostgreSQL server itself, past its pooler.",
    )


async def _valkey(site: _Site) -> Finding:
    async with AsyncExitStack() as stack:
        ephemeral = await open_ephemeral(site.settings, site.database, SystemClock(), stack)
        key = f"doctor:{site.now()}"
        await ephemeral.put(key, b"1", ttl=MINUTE)
        if await ephemeral.take(key) != b"1":
            return Finding("valkey", "fail", "it forgets at once what it was told")
    return Finding("valkey", "ok", "answers and keeps")


async def _gateway(settings: Settings, options: GatewayOptions) -> Finding:
    """Whether it answers; nothing is sent to anybody."""
    name, kind = f"sms {options.name}", kind_of(options)
    try:
        async with AsyncExitStack() as stack:
            gateway = open_gateway(options, settings, SystemClock(), _leave_receipts, stack)
            if await gateway.healthy():
                return Finding(name, "ok", f"{kind} answers")
    except CannotStart as error:
        return Finding(name, "fail", str(error))
    return Finding(name, "warn", f"{kind} does not answer", "See its address and password, and whether it runs.")


async def _mail(options: SmtpOptions) -> Finding:
    """Whether the mail server takes our password; nothing is sent to anybody."""
    if await SmtpTransport(options, SystemClock()).healthy():
        return Finding("mail", "ok", f"{options.host} answers")
    mend = "See its address, certificate and password, and whether it runs."
    return Finding("mail", "warn", f"{options.host} does not answer as it should", mend)


async def _leave_receipts(_receipts: Sequence[Receipt]) -> None:
    """An SMSC sends them again, to whoever stores them."""
    raise Unavailable


_LOOKS: dict[str, Look] = {
    "writing": _writes,
    "durability": _durable,
    "keys": _keys,
    "clock": _clock,
    "policy": _policy,
    "audit": _audit,
    "prepared statements": _prepared,
    "wake-ups": _wakeups,
    "valkey": _valkey,
}

_POSTGRESQL_ONLY = ("prepared statements", "wake-ups")


def _address(url: str) -> PostgresAddress:
    address = parse_address(url)
    assert isinstance(address, PostgresAddress)
    return address


def _where(settings: Settings) -> str:
    address = parse_address(settings.database_url)
    return str(address.path) if isinstance(address, SqliteAddress) else "PostgreSQL"
