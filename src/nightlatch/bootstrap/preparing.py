"""What must be there before anybody is served: directory, tables, key-encryption key."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from nightlatch.adapters.keys import (
    EnvironmentKeyProvider,
    FileKeyProvider,
    KeyEncryptionKey,
    KeyProvider,
    Rewrapping,
)
from nightlatch.adapters.sql.engine import open_database
from nightlatch.adapters.sql.migrate import (
    current_revision,
    head_revision,
    is_known,
    migrate_database,
)
from nightlatch.adapters.sql.url import SqliteAddress, parse_address
from nightlatch.bootstrap.errors import CannotStart, NothingHere, explained
from nightlatch.config import Settings
from nightlatch.domain.crypto.sealing import KEY_BYTES, key_id_of
from nightlatch.ports.catalog import KeptKeys
from nightlatch.ports.rotation import KeyWrapping
from nightlatch.ports.world import Clock, Entropy


async def migrate(settings: Settings, clock: Clock) -> None:
    """Bring the database to this version. Raises ``CannotStart``."""
    address = parse_address(settings.database_url)
    if isinstance(address, SqliteAddress):
        # Others on this machine have no business here.
        address.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with explained():
        await migrate_database(settings.database_direct_url or settings.database_url, clock.now())


class Standing(Enum):
    """How the tables of a database relate to this release."""

    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


async def standing_of(settings: Settings) -> Standing:
    """Look at the tables without changing anything. Raises ``Unavailable``."""
    address = parse_address(settings.database_url)
    if isinstance(address, SqliteAddress) and not address.path.exists():
        return Standing.EMPTY
    database = open_database(settings.database_url)
    try:
        revision = await database.read(current_revision)
    finally:
        await database.close()
    if revision is None:
        return Standing.EMPTY
    if revision == head_revision():
        return Standing.CURRENT
    return Standing.OLDER if is_known(revision) else Standing.NEWER


async def check_migrated(settings: Settings, clock: Clock, *, make: bool) -> None:
    """That the tables are those of this version. With ``make`` an empty database gets them."""
    with explained():
        standing = await standing_of(settings)
    if standing is Standing.EMPTY and make:
        await migrate(settings, clock)
    elif standing is Standing.EMPTY:
        raise NothingHere(
            f"There is no Nightlatch in {_shown(settings)} yet. nightlatch serve makes one; "
            "--data, --database or --config name another."
        )
    elif standing is Standing.OLDER:
        raise CannotStart(f"{_shown(settings)} is of an older version. nightlatch serve migrates it.")
    elif standing is Standing.NEWER:
        raise CannotStart(f"{_shown(settings)} is of a newer version. Update this program.")


def key_encryption_key(settings: Settings, kept: KeptKeys, entropy: Entropy, *, make: bool) -> KeyEncryptionKey:
    """The key that wraps all others. A fresh one is made only for a database that holds none (K1).

    Raises ``KeyUnusable`` and ``CannotStart``.
    """
    provider = _provider(settings)
    key = provider.load()
    if key is None and kept.data_keys:
        wanted = key_id_of(next(one.wrapped for one in kept.data_keys if one.wrapped))
        raise CannotStart(
            f"The {provider.where} is missing, and this database was sealed with one ({wanted}). "
            "Put it back from its backup; without it nothing that was sealed can be opened."
        )
    if key is None and not make:
        raise NothingHere(f"There is no {provider.where} yet. nightlatch serve makes one.")
    return KeyEncryptionKey(provider.create(entropy.bytes(KEY_BYTES)) if key is None else key, provider.where)


def wrapping_under(path: Path, old: KeyEncryptionKey, entropy: Entropy) -> KeyWrapping:
    """From this key-encryption key to the one in a file, which is made where there is none.

    Raises ``CannotStart`` when that is the same key, or cannot be used.
    """
    provider = FileKeyProvider(path)
    with explained():
        key = provider.load() or provider.create(entropy.bytes(KEY_BYTES))
    new = KeyEncryptionKey(key, provider.where)
    if new.id == old.id:
        raise CannotStart(f"{path} holds the key that is in use. Name another file.")
    return Rewrapping(old, new, entropy)


def _provider(settings: Settings) -> KeyProvider:
    if settings.key is not None:
        return EnvironmentKeyProvider(settings.key)
    return FileKeyProvider(settings.key_file)


def _shown(settings: Settings) -> str:
    """The database without its password."""
    address = parse_address(settings.database_url)
    return str(address.path) if isinstance(address, SqliteAddress) else "the PostgreSQL database"
