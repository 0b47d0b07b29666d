"""Whoever steals a dump of the database, or reads the log, holds no secret that was in use."""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key
from sqlalchemy import Connection, select

from nightlatch.adapters.keys.kek import KeyEncryptionKey
from nightlatch.adapters.keys.providers import parse_key
from nightlatch.adapters.sql.catalog import SqlCatalog
from nightlatch.adapters.sql.tables import EVENTS
from nightlatch.domain.crypto.sealing import open_
from nightlatch.domain.factors.seed import decode_secret
from nightlatch.domain.keys import signing_key_place
from tests.support.postgres import PostgresServer
from tests.support.server import BACK, Browser, Client, Site, result_code

ADDRESS = "198.51.100.73"
AGENT = "NightlatchProbe/7.3 (nobody else)"
PERSONAL = (ADDRESS, AGENT)
CODE = re.compile(r"<code>([0-9A-Z-]{19})</code>")
BARE_KEY = re.compile(r'data-copy="([A-Z2-7]{32})"')


@dataclass
class Known:
    """Secrets that the test saw in use. ``raw`` are bytes, ``texts`` are written as they are."""

    texts: list[str] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def seed(self, base32: str) -> None:
        """A seed, in both forms."""
        self.texts.append(base32)
        self.raw.append(decode_secret(base32))

    def codes(self, codes: list[str]) -> None:
        """Backup codes, as shown and as they are hashed."""
        assert len(codes) == 10
        self.texts += [
            *codes,
            *(code.replace("-", "") for code in codes),
            *(code.replace("-", "")[1:] for code in codes),
        ]

    def found_in(self, dump: bytes) -> list[str]:
        """Those that a dump holds: as they are, in hexadecimal as PostgreSQL writes bytes, or in Base64."""
        low = dump.lower()
        needles = self.raw + [text.encode() for text in self.texts]
        return [
            str(needle)
            for needle in needles
            if needle in dump
            or needle.lower() in low
            or needle.hex().encode() in low
            or base64.b64encode(needle).rstrip(b"=") in dump
        ]


def dump_of(site: Site, request: pytest.FixtureRequest) -> bytes:
    """All bytes of the database: the SQLite file with its log, or what pg_dump writes."""
    if site.sqlite:
        files = sorted(site.installation.folder.glob("nightlatch.db*"))
        assert {file.name for file in files} >= {"nightlatch.db", "nightlatch.db-wal"}
        return b"\0".join(file.read_bytes() for file in files)
    postgres: PostgresServer = request.getfixturevalue("postgres")
    return postgres.dump(site.database_url).encode()


async def used_by_api(client: Client, known: Known) -> None:
    """Enrol, sign in, remember, replace, and ask for links, over the API."""
    context = {"ip": ADDRESS, "user_agent": AGENT}
    person = await client.with_totp()
    known.raw.append(person.secret)
    known.texts.append(base64.b32encode(person.secret).decode().rstrip("="))
    known.codes(person.backup_codes)
    signed_in = (await client.verify(person, person.code(1), context=context)).json()
    known.texts += [signed_in["assertion"], signed_in["device_token"]]
    begun = await client.authentication(person, context=context | {"device_token": signed_in["device_token"]})
    answered = (await client.answer(begun["id"], person.backup_codes[0])).json()
    known.texts.append(answered["device_token"])
    await client.verify(person, person.wrong(), context=context)
    approval = await client.approval(person, person.backup_codes[1])
    made = await client.made(f"/v1/users/{person.id}/factors", {"kind": "totp", "approval": approval})
    known.seed(made["enrollment"]["secret"])
    known.raw.append(base64.b64decode(made["enrollment"]["qr_png"].partition(",")[2])[-64:-16])
    for _ in range(2):
        key = {"idempotency-key": "the-same-key"}
        answer = await client("POST", f"/v1/users/{person.id}/portal-links", {}, **key)
        if answer.status_code == 201:
            known.texts.append(parse_qs(urlsplit(answer.json()["url"]).query)["ticket"][0])
    unknown = {"user": "nobody-of-that-name", "code": "123456", "context": context}
    assert (await client("POST", "/v1/verify", unknown)).json()["status"] == "rejected"


async def used_by_pages(site: Site, client: Client, known: Known) -> None:
    """The prompt, with codes that are not saved yet and with a result; the portal."""
    newcomer = await client.person()
    # The browser's own address: nobody sets up a first factor from elsewhere.
    body = {"user": newcomer.id, "context": {"ip": "127.0.0.1", "user_agent": AGENT}, "return_url": BACK, "state": "st"}
    begun = await client.made("/v1/authentications", body)
    known.texts.append(parse_qs(urlsplit(begun["prompt_url"]).query)["ticket"][0])
    async with Browser(site.url) as browser:
        await browser.get(begun["prompt_url"])
        await browser.post(f"/prompt/{begun['id']}/setup")
        await browser.get(f"/prompt/{begun['id']}")
        found = BARE_KEY.search(browser.page)
        assert found is not None
        known.seed(found[1])
        newcomer.secret = decode_secret(found[1])
        await browser.post(f"/prompt/{begun['id']}/setup/code", code=newcomer.code())
        await browser.get(f"/prompt/{begun['id']}")
        known.codes(CODE.findall(browser.page))
        known.texts += [value for _, value in browser.http.cookies.items()]
    person = await client.with_totp()
    async with Browser(site.url) as browser:
        _, code = await result_code(browser, client, person, person.code(1))
        known.texts += [code, *(value for name, value in browser.http.cookies.items() if "way" not in name)]
        link = (await client.made(f"/v1/users/{person.id}/portal-links", {}))["url"]
        await browser.get(link)
        await browser.post("/portal/open", ticket=browser.hidden("ticket"))
        known.texts += [value for name, value in browser.http.cookies.items() if "portal" in name]


async def keys_of(site: Site) -> list[bytes]:
    """The key-encryption key, the keys that it wraps, and the private signing keys."""
    kek_bytes = parse_key(site.installation.key_file.read_text(), "the key file")
    async with site.rows() as rows:
        kept = await SqlCatalog(rows).keys()
    kek = KeyEncryptionKey(kek_bytes, "the key file")
    ring = {key.id: kek.unwrap(key) for key in kept.data_keys if key.wrapped}
    private = [open_(ring, key.sealed, signing_key_place(key.kid)) for key in kept.signing_keys]
    numbers = [load_der_private_key(der, None).private_numbers().private_value for der in private]  # type: ignore[union-attr]
    return [kek_bytes, *ring.values(), *private, *(number.to_bytes(32, "big") for number in numbers)]


@pytest.mark.requirement("K1", "K3", "L2", "X4", "G2")
async def test_a_dump_and_the_log_hold_no_secret(site: Site, client: Client, request: pytest.FixtureRequest) -> None:
    """Seeds, backup codes, tokens, tickets, API keys, keys: used in every way that there is, then looked for."""
    known = Known(texts=[client.site.key, site.installation.key_file.read_text().strip()])
    await used_by_api(client, known)
    await used_by_pages(site, client, known)
    known.raw += await keys_of(site)
    assert len(known.texts) + len(known.raw) >= 80
    dump = await asyncio.to_thread(dump_of, site, request)

    assert known.found_in(dump) == []
    assert site.server is not None
    assert known.found_in(site.server.log.read_bytes()) == []
    # The search finds what is there: in text, and in columns of bytes.
    here = Known(texts=[site.application], raw=[await a_stored_hash(site)])
    assert len(here.found_in(dump)) == 2


async def a_stored_hash(site: Site) -> bytes:
    """Bytes that the database does hold."""
    async with site.rows() as rows:
        (application,) = await SqlCatalog(rows).applications()
    return application.keys[0].hash


@pytest.mark.requirement("G4", "G2")
async def test_events_tell_nothing_personal_in_clear(site: Site, client: Client) -> None:
    """Address, browser, names: sealed under the person's own key, and left out for who is unknown."""
    await used_by_api(client, Known())
    await used_by_pages(site, client, Known())
    address, name = f"{secrets.token_hex(6)}@example.com", "Wilhelmina Unmistakable"
    username = f"maya-{secrets.token_hex(6)}"
    made = await client.made("/v1/users", {"username": username, "display_name": name, "emails": [address]})
    await client("PATCH", f"/v1/users/{made['id']}", {"display_name": name + "!", "phones": ["+4915112345678"]})
    await client("DELETE", f"/v1/users/{made['id']}")

    def clear(connection: Connection) -> list[str]:
        columns = [column for column in EVENTS.table.c if column.name != "personal"]
        return [str(tuple(row)) for row in connection.execute(select(*columns))]

    async with site.rows() as rows:
        told = "\n".join(await rows.read(clear))
    for needle in (*PERSONAL, address, name, username, "4915112345678", "Mozilla/5.0", "192.0.2.7"):
        assert needle not in told, needle
    events = msgspec.json.decode((await client("GET", "/v1/audit/events?limit=200")).content)
    assert any(event["personal"] for event in events["data"])


@pytest.mark.requirement("K1")
async def test_a_kept_answer_is_sealed(site: Site, client: Client, request: pytest.FixtureRequest) -> None:
    """The answer to an Idempotency-Key comes again word for word, and the database does not hold it."""
    person = await client.with_totp()
    begun = await client.authentication(person)
    path = f"/v1/authentications/{begun['id']}/challenges"

    async def ask() -> httpx.Response:
        return await client("POST", path, {"factor": person.factor}, **{"idempotency-key": f"key-{person.id}"})

    first, again = await ask(), await ask()
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    dump = await asyncio.to_thread(dump_of, site, request)
    assert Known(raw=[first.content, first.content[:64]]).found_in(dump) == []
