"""What the database alone could do: pgbench, which only sends statements and throws answers away.

The rows are those of a real verification, captured from the use case and not stored. Two ways are measured: ``plain``
reads, compares and sets, and inserts, a statement a table, in one transaction; ``single`` is the store's own pair of
statements with one item each. Ids are made by the database, so that every index grows as it does under load.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.people import People
from benchmarks.processes import Failed, run
from benchmarks.server import Site, verification
from nightlatch.adapters.sql import commit_postgres, load_postgres
from nightlatch.adapters.sql.changes import PARTS, PUT, Part, Prepared, prepare
from nightlatch.adapters.sql.tables import EVENTS, quoted
from nightlatch.app.context import Caller
from nightlatch.app.messages import OneShot
from nightlatch.app.verify import verify
from nightlatch.bootstrap import open_beside
from nightlatch.config import load_settings
from nightlatch.domain.records import Authentication, Device
from nightlatch.ports.store import Change, Outcome, Snapshot, Store, UserKey
from tests.support.postgres import PostgresServer

CLIENTS = 16
_PARAMETER = re.compile(r"\$(\d+)(::\w+\[\])?")


@dataclass(frozen=True)
class Sample:
    """One verification as the store is given it. ``names``: its own values → the variables that replace them."""

    key: UserKey
    change: Prepared
    names: dict[Any, str]


class _Watched:
    """A store that shows what it was asked, and keeps nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked: list[tuple[UserKey, Snapshot, Change]] = []
        self._last: tuple[UserKey, Snapshot] | None = None

    async def load(self, key: UserKey) -> Snapshot:
        snapshot = await self._store.load(key)
        self._last = (key, snapshot)
        return snapshot

    async def commit(self, change: Change) -> Outcome:
        assert self._last is not None
        self.asked.append((*self._last, change))
        return Outcome.APPLIED

    def turn(self, root: str) -> AbstractAsyncContextManager[None]:
        return self._store.turn(root)


def rates(postgres: PostgresServer, site: Site, people: People, *, seconds: int) -> dict[str, float]:
    """Transactions a second of both ways, on the site's database, which they fill with rows of no use."""
    sample = asyncio.run(_sample(site, people))
    scripts = {"plain": _plain(sample, people), "single": _single(sample, people)}
    return {name: _pgbench(postgres, site.url, script, seconds) for name, script in scripts.items()}


async def _sample(site: Site, people: People) -> Sample:
    (number, code), *_ = people.fresh_codes(1, within=5)
    async with open_beside(load_settings(environ=site.environment())) as opened:
        watched = _Watched(opened.ports.store)
        (kept,) = await opened.ports.catalog.applications()
        caller = Caller(f"application:{kept.application.id}", kept.application, frozenset({"authenticate"}))
        request = msgspec.convert(verification(people, number, code), OneShot)
        answer = await verify(replace(opened.ports, store=watched), caller, request)
    if answer.status != "approved":
        raise Failed(f"the sample was {answer.status}: {answer.reason}")
    ((key, snapshot, change),) = watched.asked
    names: dict[Any, str] = {change.root: "root", snapshot.factors[0].id: "factor", change.events[0].id: "evt"}
    for record in (*change.puts, *change.new):
        if isinstance(record, Authentication):
            names[record.id] = "atn"
        if isinstance(record, Device):
            names |= {record.id: "dev", record.token_hash: "token"}
    return Sample(key, prepare(change), names)


_FRESH = """
  'atn_' || replace(uuidv7()::text, '-', '') AS atn, 'dev_' || replace(uuidv7()::text, '-', '') AS dev,
  'evt_' || replace(uuidv7()::text, '-', '') AS evt, sha256(uuidv7()::text::bytea) AS token"""


def _plain(sample: Sample, people: People) -> str:
    part = "LEFT JOIN seen_networks ON seen_networks.user_id = users.id AND seen_networks.network = "
    load = f"""
SELECT users.*, factors.*, factor_state.*, seen_networks.*, roots.version AS version, roots.id AS root,
  factors.id AS factor,{_FRESH}
FROM users JOIN roots ON roots.id = users.id
LEFT JOIN factors ON factors.user_id = users.id
LEFT JOIN factor_state ON factor_state.factor_id = factors.id
{part}{_literal(sample.key.network, "text", {})}
WHERE users.username = {_name(people)}
\\gset"""
    moved = "UPDATE roots SET version = version + 1 WHERE id = (:root)::text AND version = (:version)::bigint;"
    writes = [_insert(each, row, sample.names) for each, rows in sorted(sample.change.rows.items()) for row in rows]
    return "\n".join([_set(people), "BEGIN;", load, moved, *writes, "COMMIT;"])


def _insert(part: Part, row: Sequence[Any], names: dict[Any, str]) -> str:
    kept = PARTS[part]
    columns = kept.mapping.names
    values = [_literal(value, kind, names) for value, kind in zip(row, _types(part), strict=True)]
    text = f"INSERT INTO {quoted(kept.name)} ({', '.join(map(quoted, columns))}) VALUES ({', '.join(values)})"
    if part.operation == PUT:
        rest = ", ".join(f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in columns if name not in kept.key)
        text += f" ON CONFLICT ({', '.join(map(quoted, kept.key))}) DO UPDATE SET {rest}"
    if kept is EVENTS:
        queued = [_literal(row[columns.index(name)], kind, names) for name, kind in _QUEUED.items()]
        text += f";\nINSERT INTO audit_queue (event_id, at, leaf) VALUES ({', '.join(queued)})"
    return text + ";"


_QUEUED = {"id": "text", "at": "bigint", "leaf": "bytea"}


def _types(part: Part) -> list[str]:
    return [commit_postgres.ARRAYS[shape.type].removesuffix("[]") for shape in PARTS[part].mapping.shapes]


def _single(sample: Sample, people: People) -> str:
    load, arguments, _ = load_postgres.batch_statement([sample.key])
    given = [[_literal(value, "", {}) for value in argument] for argument in arguments]
    given[1] = [_name(people)]
    # The reader's columns bear no names of their own; those that are needed stand first.
    load = _filled(load, given).replace(
        "SELECT k.ord, k.root, roots.version,",
        f"SELECT k.ord, k.root AS root, roots.version AS version, factors.id AS factor,{_FRESH},",
    )
    commit, values = commit_postgres.batch_statement([sample.change])
    filled = [[_literal(value, "", sample.names) for value in argument] for argument in values]
    filled[2] = ["(:version)::bigint"]
    return "\n".join([_set(people), load, "\\gset", _filled(commit, filled) + ";"])


def _filled(statement: str, arguments: Sequence[Sequence[str]]) -> str:
    def array(match: re.Match[str]) -> str:
        return f"ARRAY[{', '.join(arguments[int(match[1]) - 1])}]{match[2] or ''}"

    return _PARAMETER.sub(array, statement)


def _set(people: People) -> str:
    return f"\\set number random(0, {people.count - 1})"


def _name(people: People) -> str:
    return f"('{people.prefix}-' || lpad((:number)::text, 7, '0'))"


def _literal(value: Any, kind: str, names: dict[Any, str]) -> str:
    """A value as SQL; one that differs from row to row as its variable."""
    if isinstance(value, str | bytes) and value in names:
        return f"(:{names[value]})::{'bytea' if isinstance(value, bytes) else 'text'}"
    cast = f"::{kind}" if kind else ""
    if value is None:
        return f"NULL{cast}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    # pgbench takes a colon with letters behind it for a variable, wherever it stands.
    text = str(value).replace("'", "''").replace("\\", "\\\\").replace(":", "\\x3a")
    return f"E'{text}'{cast}"


def _pgbench(postgres: PostgresServer, url: str, script: str, seconds: int) -> float:
    with tempfile.TemporaryDirectory(prefix="nightlatch-bench-") as folder:
        file = Path(folder, "script.sql")
        file.write_text(script, "utf-8")
        command = [str(postgres.binaries / "pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "1"]
        said = run([*command, "-T", str(seconds), "-f", str(file), url], limit=seconds + 60)
    found = re.search(r"tps = ([\d.]+)", said)
    failed = re.search(r"number of failed transactions: (\d+)", said)
    if found is None or failed is None or int(failed[1]):
        raise Failed(f"pgbench said:\n{said}")
    return float(found[1])
