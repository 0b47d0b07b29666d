"""Database addresses as people write them: ``sqlite:///PATH`` and libpq's ``postgresql://…``."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode

import msgspec

SECONDS_TO_CONNECT = 5.0
STATEMENTS_KEPT = 128

# What the driver understands of libpq's connection parameters (PostgreSQL manual §34.1.2); it would hand any other
# to the server, where a misspelt sslmode would pass unseen.
_DRIVER_KNOWS = frozenset(
    {
        "application_name", "database", "dbname", "gsslib", "host", "krbsrvname", "passfile", "password", "port",
        "service", "servicefile", "sslcert", "sslcrl", "sslkey", "sslmode", "sslnegotiation", "sslpassword",
        "sslrootcert", "ssl_max_protocol_version", "ssl_min_protocol_version", "target_session_attrs", "user",
    }
)  # fmt: skip
_WE_READ = frozenset({"connect_timeout", "statement_cache_size"})


class BadAddress(ValueError):
    """The address cannot be used; the message says why and holds no password."""


class SqliteAddress(msgspec.Struct, frozen=True):
    """A database file."""

    path: Path


class PostgresAddress(msgspec.Struct, frozen=True):
    """A server. ``dsn`` goes to the driver. ``statements_kept`` 0: prepare none, for a pooler that mixes sessions."""

    dsn: str
    seconds_to_connect: float = SECONDS_TO_CONNECT
    statements_kept: int = STATEMENTS_KEPT

    def __repr__(self) -> str:
        return "PostgresAddress(…)"


def parse_address(url: str) -> SqliteAddress | PostgresAddress:
    """Read a database URL. Raises ``BadAddress``."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise BadAddress("a database URL begins with sqlite:/// or postgresql://")
    if scheme == "sqlite":
        return _sqlite(rest)
    if scheme in ("postgresql", "postgres"):
        return _postgres(url)
    near = get_close_matches(scheme, ["sqlite", "postgresql"], n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]}://?" if near else ""
    raise BadAddress(f"a database is sqlite:///… or postgresql://…, not {scheme}://{hint}")


def _sqlite(rest: str) -> SqliteAddress:
    path = unquote(rest[1:])
    if not rest.startswith("/") or not path or path.startswith(":memory:"):
        raise BadAddress("an SQLite database is a file: sqlite:///relative.db or sqlite:////absolute.db")
    if "?" in path:
        raise BadAddress("an SQLite URL takes no parameters")
    return SqliteAddress(Path(path))


def _postgres(url: str) -> PostgresAddress:
    base, _, query = url.partition("?")
    given = parse_qsl(query, keep_blank_values=True)
    for name, _ in given:
        if name not in _DRIVER_KNOWS | _WE_READ:
            near = get_close_matches(name, _DRIVER_KNOWS | _WE_READ, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise BadAddress(f"unknown parameter {name} in the database URL{hint}")
    ours = {name: value for name, value in given if name in _WE_READ}
    kept = [(name, value) for name, value in given if name not in _WE_READ]
    return PostgresAddress(
        dsn=f"{base}?{urlencode(kept)}" if kept else base,
        seconds_to_connect=_number(ours, "connect_timeout", SECONDS_TO_CONNECT),
        statements_kept=int(_number(ours, "statement_cache_size", STATEMENTS_KEPT)),
    )


def _number(ours: dict[str, str], name: str, otherwise: float) -> float:
    text = ours.get(name)
    if text is None:
        return otherwise
    if not text.isdecimal():
        raise BadAddress(f"{name} in the database URL must be a whole number")
    return float(text)
