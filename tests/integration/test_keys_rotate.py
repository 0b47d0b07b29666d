"""Rotation: everything sealed moves to new keys while people sign in, and nothing is lost on the way (K5)."""

from __future__ import annotations

import base64
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from joserfc import jwt

from nightlatch.app.context import Caller
from nightlatch.app.keys.reseal import reseal_answer, reseal_user
from nightlatch.app.keys.rotate import FORGOTTEN_AFTER, Rotation, begin_rotation, finish_rotation
from nightlatch.app.messages import NewUser
from nightlatch.app.users.create import create_user
from nightlatch.bootstrap import Opened, open_everything
from nightlatch.config import load_settings
from nightlatch.domain.crypto.sealing import key_id_of
from nightlatch.domain.errors import Conflict
from nightlatch.domain.keys import ANNOUNCING, SETTLING, SUPERSEDED_FOR
from nightlatch.domain.time import HOUR
from nightlatch.ports.store import UserKey
from tests.support.bank import opened_bank
from tests.support.browsing import Visitor, pages_with_maya, to_prompt
from tests.support.installation import WITHIN, Installation
from tests.support.phones import PushPhone
from tests.support.ports import SITE, SetClock, World

UNUSABLE = 3
OPERATOR = Caller("operator:cli:test", scopes=frozenset({"admin"}))


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    """An installation on each kind of database."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    return Installation(tmp_path / "data", url)


def data_keys(installation: Installation) -> dict[str, str]:
    """Ids of data keys by state."""
    return {key["state"]: key["id"] for key in installation.made("keys", "list") if key["use"] == "data"}


@pytest.mark.requirement("K5")
def test_everything_moves_while_people_sign_in(installation: Installation) -> None:
    workers = ["--workers", "2"] if installation.database else []
    with installation.serving(*workers) as server:
        bank = opened_bank(installation, server)
        for number in range(12):
            bank.join(f"person-{number}")
        created = bank.post("/v1/users", {"username": "once"}, **{"idempotency-key": "k1"})
        before, assertion = data_keys(installation)["seals"], bank.sign_in(bank.people[0])
        with bank.busy(bank.people[:4]) as crowd:
            done = installation.run("keys", "rotate")
            ended = time.monotonic()

        assert done.code == 0, done.err
        assert not crowd.failures
        assert [at for at in crowd.signed_in if at < ended]
        after = data_keys(installation)
        assert after["retired"] == before
        assert after["seals"] != before
        for presser in bank.people:
            assert bank.sign_in(presser)
        again = bank.post("/v1/users", {"username": "once"}, **{"idempotency-key": "k1"})
        assert (again.status_code, again.json()) == (201, created.json())
        assert len(bank.public_keys().keys) == 2
        jwt.decode(assertion, bank.public_keys(), algorithms=["ES256"])
        server.kill()
    with installation.serving(*workers) as server:
        bank.server = server
        for presser in bank.people:
            assert bank.sign_in(presser)


@pytest.mark.requirement("K5")
def test_an_interrupted_rotation_goes_on_where_it_was(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    with installation.serving() as server:
        bank = opened_bank(installation, server)
        bank.join("maya")
        log = tmp_path / "rotate.log"
        rotating = installation.start("keys", "rotate", log=log)
        deadline = time.monotonic() + WITHIN
        while "New data key" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        rotating.send_signal(signal.SIGKILL)
        rotating.wait(WITHIN)
        first = data_keys(installation)
        assert set(first) == {"seals", "settling"}
        assert "a rotation was interrupted" in installation.run("doctor").out
        assert bank.sign_in(bank.people[0])

        done = installation.run("keys", "rotate")
        assert done.code == 0, done.err
        assert f"Going on with data key {first['settling']}" in done.err
        assert data_keys(installation) == {"retired": first["seals"], "seals": first["settling"]}
        assert bank.sign_in(bank.people[0])


@pytest.mark.requirement("K1", "K5")
def test_a_new_key_file_takes_over_while_the_server_goes_on(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    old, new = installation.key_file, installation.folder / "second.key"
    with installation.serving() as server:
        bank = opened_bank(installation, server)
        bank.join("maya")
        same = installation.run("keys", "rotate", "--new-key-file", str(old))
        assert same.code == UNUSABLE
        assert "is in use" in same.err
        done = installation.run("keys", "rotate", "--new-key-file", str(new))
        assert done.code == 0, done.err
        assert f"Set key_file to {new}" in done.err
        assert new.stat().st_mode & 0o777 == 0o600
        time.sleep(2)
        assert bank.sign_in(bank.people[0])
        bank.join("noah")

    assert "is another key" in installation.run("keys", "list").err
    installation.environ["NIGHTLATCH_KEY_FILE"] = str(new)
    with installation.serving() as server:
        bank.server = server
        for presser in bank.people:
            assert bank.sign_in(presser)


@dataclass
class Safe:
    """Everything open on a clock that the test sets."""

    opened: Opened
    clock: SetClock

    async def begin(self) -> Rotation:
        return await begin_rotation(self.opened.ports, OPERATOR, self.opened.keys, self.opened.resealing)

    async def finish(self, rotation: Rotation, *, compromised: bool = False) -> list[str]:
        return await finish_rotation(
            self.opened.ports, OPERATOR, self.opened.resealing, rotation, compromised=compromised
        )

    async def move(self, rotation: Rotation) -> None:
        for user in await self.opened.resealing.users(rotation.key_id, after="", limit=100):
            assert await reseal_user(self.opened.ports, user)

    async def rotate(self) -> Rotation:
        rotation = await self.begin()
        self.clock.advance(SETTLING + 1)
        await self.move(rotation)
        await self.finish(rotation)
        return rotation

    async def kept(self) -> tuple[set[str], set[str]]:
        keys = await self.opened.ports.catalog.keys()
        return {key.id for key in keys.data_keys if key.id.startswith("dk_")}, {key.kid for key in keys.signing_keys}


@asynccontextmanager
async def open_safe(folder: Path, **settings_: str) -> AsyncIterator[Safe]:
    clock = SetClock()
    settings = load_settings({"data_dir": str(folder), **settings_}, alone=True)
    async with open_everything(settings, clock=clock) as opened:
        yield Safe(opened, clock)


async def test_nothing_moves_before_the_new_key_has_settled(tmp_path: Path) -> None:
    async with open_safe(tmp_path) as safe:
        maya = await create_user(safe.opened.ports, OPERATOR, NewUser(username="maya"))
        rotation = await safe.begin()
        assert not await reseal_user(safe.opened.ports, maya.id)
        with pytest.raises(Conflict, match="not settled"):
            await safe.finish(rotation)
        safe.clock.advance(SETTLING + 1)
        with pytest.raises(Conflict, match="1 values are still sealed"):
            await safe.finish(rotation)
        assert await reseal_user(safe.opened.ports, maya.id)
        assert not await reseal_user(safe.opened.ports, maya.id)
        assert len(await safe.finish(rotation)) == 1
        assert await safe.finish(rotation) == []
        user = (await safe.opened.ports.store.load(UserKey(user=maya.id))).user
        assert user is not None
        assert key_id_of(user.audit_key) == rotation.key_id


async def test_compromised_signing_keys_are_withdrawn_at_once_and_others_after_an_hour(tmp_path: Path) -> None:
    async with open_safe(tmp_path) as safe:
        signer = safe.opened.ports.signer

        def kids() -> list[str]:
            return [key["kid"] for key in signer.jwks()["keys"]]

        (first,) = kids()
        second = (await safe.rotate()).kid
        assert kids() == [second, first]
        assert signer.sign({}, "JWT").split(".")[0] == _header(first)
        safe.clock.advance(ANNOUNCING)
        assert signer.sign({}, "JWT").split(".")[0] == _header(second)

        third = await safe.begin()
        safe.clock.advance(SETTLING + 1)
        assert set(await safe.finish(third, compromised=True)) >= {first, second}
        assert kids() == [third.kid]
        assert signer.sign({}, "JWT").split(".")[0] == _header(third.kid)


def _header(kid: str) -> str:
    header = msgspec.json.encode({"alg": "ES256", "kid": kid, "typ": "JWT"})
    return base64.urlsafe_b64encode(header).decode().rstrip("=")


async def test_a_second_rotation_begins_where_an_unfinished_one_is(tmp_path: Path) -> None:
    async with open_safe(tmp_path) as safe:
        first = await safe.begin()
        again = await safe.begin()
        assert (again.key_id, again.kid, again.resumed) == (first.key_id, first.kid, True)
        assert not first.resumed


async def test_a_clock_that_was_set_back_does_not_make_a_new_key_the_older_one(tmp_path: Path) -> None:
    async with open_safe(tmp_path) as safe:
        safe.clock.advance(-HOUR)
        rotation = await safe.begin()
        assert rotation.settles_at > safe.clock.now() + HOUR
        safe.clock.advance(HOUR + SETTLING + 1)
        assert len(await safe.finish(rotation)) == 1
        assert safe.opened.ports.sealer.current_key_id() == rotation.key_id


async def test_retired_keys_are_forgotten_later_and_needed_ones_never(tmp_path: Path) -> None:
    async with open_safe(tmp_path) as safe:
        data_before, signing_before = await safe.kept()
        first = await safe.rotate()
        safe.clock.advance(FORGOTTEN_AFTER - SETTLING - 1)
        await safe.rotate()
        data_keys_kept, _ = await safe.kept()
        assert data_before <= data_keys_kept

        safe.clock.advance(ANNOUNCING + SUPERSEDED_FOR)
        third = await safe.rotate()
        data_keys_kept, signing_kept = await safe.kept()
        assert not data_before & data_keys_kept
        assert not signing_before & signing_kept
        assert first.key_id in data_keys_kept
        assert third.key_id in data_keys_kept


@pytest.mark.requirement("K5")
async def test_a_sign_in_under_way_outlives_two_rotations(tmp_path: Path, database_url: str) -> None:
    """What pages keep sealed for minutes, codes to be saved and the number of a push, opens under retired keys."""
    async with open_safe(tmp_path, database_url=database_url, public_url=SITE.public_url) as safe:
        pages = await pages_with_maya(World(safe.opened.ports, safe.clock, safe.opened.database, safe.opened.sequencer))
        async with pages.browser() as browser:
            phone = PushPhone(SITE.public_url, safe.clock)
            await to_prompt(pages, browser)
            await browser.submit("/setup")
            await browser.submit("/setup", kind="phone", anew="yes")
            code = next(link for link in browser.links if "/authenticator#" in link).partition("#")[2]
            await phone.pair(browser.http, {"code": code, "number": _number(browser)})
            await browser.submit("/setup/phone")
            codes = browser.codes
            assert len(codes) == 10
            for _ in range(2):
                await safe.rotate()
            assert (await browser.get(str(browser.page.url))).codes == codes
            await browser.submit("/saved", saved="yes")
            await browser.submit("/continue")
            assert (await pages.bank.result(browser.left_with)).status == "approved"

            await to_prompt(pages, browser)
            await browser.submit("/push")
            number = _number(browser)
            for _ in range(2):
                await safe.rotate()
            assert _number(await browser.get(str(browser.page.url))) == number
            (asked,) = await phone.waiting(browser.http)
            assert (await phone.answer(browser.http, asked, "approve", number)).json()["status"] == "approved"
            await browser.get(str(browser.page.url))
            await browser.submit("/continue")
            assert (await pages.bank.result(browser.left_with)).status == "approved"


def _number(browser: Visitor) -> str:
    """The number that the page shows."""
    found = re.search(r'class="number"[^>]*>([^<]+)<', browser.page.text)
    assert found is not None, browser.text
    return re.sub(r"\D", "", found[1].replace("&#8239;", ""))


async def test_an_unknown_answer_has_nothing_to_move(tmp_path: Path) -> None:
    async with open_safe(tmp_path) as safe:
        assert not await reseal_answer(safe.opened.ports, "idk_none")
