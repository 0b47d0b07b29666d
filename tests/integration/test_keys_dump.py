"""What a thief of the database reads: no seed, code, key or token (K1)."""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nightlatch.domain.factors.seed import decode_secret
from tests.support.bank import CONTEXT, opened_bank
from tests.support.installation import Installation
from tests.support.postgres import PostgresServer


def sqlite_values(folder: Path) -> Iterator[bytes]:
    """Everything in every row, and the files themselves, free pages and log included."""
    with closing(sqlite3.connect(folder / "nightlatch.db")) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f"SELECT * FROM {table}"):
                for value in row:
                    yield value if isinstance(value, bytes) else str(value).encode()
    for path in folder.glob("nightlatch.db*"):
        yield path.read_bytes()


def postgresql_values(server: PostgresServer, url: str) -> Iterator[bytes]:
    """Everything in every row; bytes as they are and as they are written."""
    database = url.rpartition("/")[2]
    tables = server.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database=database)
    for table in tables.splitlines():
        text = server.sql(f"SELECT * FROM {table}", database=database)
        yield text.encode()
        for written in re.findall(r"\\x([0-9a-f]+)", text):
            yield bytes.fromhex(written)


def forms(secret: str) -> set[bytes]:
    """A seed as it could be written: Base32, bytes, hex, Base64."""
    raw = decode_secret(secret)
    return {secret.encode(), raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"=")}


@pytest.mark.requirement("K1", "K3")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_dump_holds_no_seed_code_key_or_token(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else None
    installation = Installation(tmp_path / "data", url)
    with installation.serving() as server:
        bank = opened_bank(installation, server)
        backup_codes = bank.join("maya")
        approval = bank.post(
            "/v1/authentications", {"user": "maya", "action": "manage_factors", "context": CONTEXT}
        ).json()
        approved = bank.post(
            f"/v1/authentications/{approval['id']}/verifications",
            {"code": bank.people[0].press(), "remember_device": True},
        ).json()
        body = {"kind": "totp", "approval": approval["id"]}
        made = bank.post("/v1/users/maya/factors", body, **{"idempotency-key": "k1"}).json()

    secret = made["enrollment"]["secret"]
    unwanted = forms(secret) | {
        bank.key.encode(),
        bank.key[4:].encode(),
        approved["device_token"].encode(),
        installation.key_file.read_text().split(":")[1].encode(),
    }
    for code in backup_codes:
        unwanted |= {code.encode(), code.replace("-", "").encode(), code.replace("-", "")[1:].encode()}
    if kind == "sqlite":
        values = list(sqlite_values(installation.folder))
    else:
        values = list(postgresql_values(request.getfixturevalue("postgres"), str(url)))
    assert any(b"maya" in value for value in values)
    for value in values:
        assert not [part for part in unwanted if part in value]
