"""Sealed values that somebody with write access to the database changed or moved: none opens, nobody is let in.

Out of scope is whoever sets rows back to what they once were, such as a factor's state with its accepted step: what
was sealed then is in its place again, and only the audit log tells.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, select, text, update

from nightlatch.adapters.sql.tables import FACTOR_STATE, FACTORS, IDEMPOTENT_ANSWERS, USERS
from nightlatch.app.users.reference import user_key
from nightlatch.domain.records import FactorState
from tests.support.api import CONTEXT, Api, ApiPhone, Application, open_api
from tests.support.installation import WITHIN, Installation
from tests.support.ports import World

DATA_KEY = "SELECT wrapped FROM data_keys WHERE id LIKE 'dk_%'"
KEPT, STATES = FACTORS.table, FACTOR_STATE.table
Tamper = Callable[[Connection], Any]


@dataclass
class Two:
    """A victim and an attacker, each with a phone; the attacker knows their own secret."""

    api: Api
    bank: Application
    victim: str
    attacker: str
    theirs: ApiPhone
    mine: ApiPhone

    async def tamper(self, change: Tamper) -> None:
        """Change rows behind the server's back."""
        await self.api.world.database.write(change)

    async def verify(self, user: str, code: str, **fields: Any) -> dict[str, Any]:
        """One call that is answered in any case."""
        response = await self.bank("POST", "/v1/verify", {"user": user, "code": code, "context": CONTEXT} | fields)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def state(self, factor: str) -> FactorState:
        """What must not have moved."""
        return (await self.api.world.ports.store.load(user_key(self.victim))).states[factor]

    async def backup(self, user: str) -> str:
        """The id of a person's backup codes."""
        listed = (await self.bank("GET", f"/v1/users/{user}/factors")).json()["data"]
        return next(factor["id"] for factor in listed if factor["kind"] == "backup_codes")


@pytest.fixture
async def two(each_world: World) -> AsyncIterator[Two]:
    async with open_api(each_world) as api:
        bank = await api.application()
        victim, attacker = await api.person(bank, "maya"), await api.person(bank, "mallory")
        theirs, mine = await api.phone(bank, victim), await api.phone(bank, attacker)
        yield Two(api, bank, victim, attacker, theirs, mine)


def copied_secret(source: str, target: str) -> Tamper:
    """Put one factor's sealed secret into another's row."""
    value = select(KEPT.c.sealed).where(KEPT.c.id == source).scalar_subquery()
    return lambda connection: connection.execute(update(KEPT).where(KEPT.c.id == target).values(sealed=value))


def sealed_as(value: bytes | None, factor: str) -> Tamper:
    """Put other bytes in the place of a factor's sealed secret."""
    return lambda connection: connection.execute(update(KEPT).where(KEPT.c.id == factor).values(sealed=value))


async def refused_with_a_trace(two: Two, code: str, factor: str) -> None:
    """No way of answering gets anything by this code; it is not counted, and operators can read why."""
    before = await two.state(factor)
    said = await two.verify(two.victim, code, factor=factor)
    assert (said["status"], said["reason"]) == ("rejected", "no_such_factor")
    begun = (await two.bank("POST", "/v1/authentications", {"user": two.victim, "context": CONTEXT})).json()
    path = f"/v1/authentications/{begun['id']}"
    said = (await two.bank("POST", f"{path}/verifications", {"code": code, "factor": factor})).json()
    assert (said["status"], said["reason"]) == ("rejected", "no_such_factor")
    assert (await two.bank("GET", path)).json()["status"] == "pending"
    assert await two.state(factor) == before
    events = [e for e in await two.api.world.events("authentication:answer_refused") if e.user == two.victim]
    assert [(e.reason, e.factor, e.outcome) for e in events] == [("secret_unreadable", factor, "failure")] * 2


@pytest.mark.requirement("K1", "G1", "G3")
async def test_a_secret_in_the_row_of_another_person_does_not_open(two: Two) -> None:
    """Whoever wrote their own secret there knows its codes, and gets in with none; other ways still work."""
    await two.tamper(copied_secret(two.mine.factor, two.theirs.factor))
    await refused_with_a_trace(two, two.mine.code(), two.theirs.factor)
    assert (await two.verify(two.victim, two.theirs.code()))["status"] == "rejected"
    assert (await two.verify(two.victim, two.theirs.backup_codes[0]))["status"] == "approved"
    assert (await two.verify(two.attacker, two.mine.code()))["status"] == "approved"


@pytest.mark.requirement("K1", "G3")
async def test_a_factor_that_was_given_to_another_person_does_not_open(two: Two) -> None:
    """The whole row, with its state."""

    def give(connection: Connection) -> None:
        connection.execute(update(KEPT).where(KEPT.c.id == two.mine.factor).values(user_id=two.victim))
        connection.execute(update(STATES).where(STATES.c.factor_id == two.mine.factor).values(user_id=two.victim))

    await two.tamper(give)
    await refused_with_a_trace(two, two.mine.code(), two.mine.factor)
    assert (await two.verify(two.attacker, two.mine.code()))["reason"] == "no_such_factor"
    assert (await two.verify(two.victim, two.theirs.code(), factor=two.theirs.factor))["status"] == "approved"


@pytest.mark.requirement("K1", "L2", "G3")
async def test_backup_codes_of_another_person_do_not_open(two: Two) -> None:
    """Hashes of known codes are as good as the codes."""
    target = await two.backup(two.victim)
    await two.tamper(copied_secret(await two.backup(two.attacker), target))
    await refused_with_a_trace(two, two.mine.backup_codes[0], target)
    assert (await two.verify(two.victim, two.theirs.code()))["status"] == "approved"


@pytest.mark.requirement("K1", "G3")
async def test_a_secret_in_the_row_of_another_factor_does_not_open(two: Two) -> None:
    """Not even of the same person: the row is bound as well."""
    approval = await approved(two)
    new = {"kind": "totp", "approval": approval}
    second = (await two.bank("POST", f"/v1/users/{two.victim}/factors", new)).json()["id"]
    await two.tamper(copied_secret(two.theirs.factor, second))
    path = f"/v1/users/{two.victim}/factors/{second}"
    refused = await two.bank("POST", f"{path}/activation", {"code": two.theirs.code()})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "no_such_factor")
    (event,) = await two.api.world.events("factor:activation_failed")
    assert (event.reason, event.factor) == ("secret_unreadable", second)
    assert (await two.bank("GET", path)).json()["status"] == "pending"


async def approved(two: Two) -> str:
    """The victim's approval for a change of factors."""
    body = {"user": two.victim, "action": "manage_factors", "context": CONTEXT}
    begun = (await two.bank("POST", "/v1/authentications", body)).json()["id"]
    said = await two.bank("POST", f"/v1/authentications/{begun}/verifications", {"code": two.theirs.code()})
    assert said.json()["status"] == "approved"
    two.api.world.clock.advance(30_000_000)
    return str(begun)


FLIPS: dict[str, Callable[[bytes], bytes | None]] = {
    "none": lambda _: None,
    "empty": lambda _: b"",
    "cut off": lambda value: value[:-1],
    "garbage": lambda value: b"\xff" * len(value),
    "another version": lambda value: b"\x02" + value[1:],
    "another nonce": lambda value: value[:-40] + bytes([value[-40] ^ 1]) + value[-39:],
    "another tag": lambda value: value[:-1] + bytes([value[-1] ^ 1]),
    "a key that is not there": lambda value: value.replace(b"dk_", b"dx_"),
    "in clear": lambda _: b"12345678901234567890",
}


@pytest.mark.requirement("K1", "G3")
async def test_a_secret_that_was_changed_does_not_open(two: Two) -> None:
    """In whatever way. What else the person holds goes on."""
    snapshot = await two.api.world.ports.store.load(user_key(two.victim))
    sealed = next(factor.sealed for factor in snapshot.factors if factor.id == two.theirs.factor)
    assert sealed is not None
    for number, (name, change) in enumerate(FLIPS.items()):
        await two.tamper(sealed_as(change(sealed), two.theirs.factor))
        said = await two.verify(two.victim, two.theirs.code(number - 4), factor=two.theirs.factor)
        assert (said["status"], said["reason"]) == ("rejected", "no_such_factor"), name
        assert (await two.verify(two.victim, two.theirs.backup_codes[number]))["status"] == "approved", name


@pytest.mark.requirement("K1", "T9", "G3")
async def test_a_spoilt_factor_stands_in_nobodys_way(two: Two) -> None:
    """It can be listed, removed and replaced; what must open it says that it does not."""
    world = two.api.world
    caller_phone, approval = two.theirs, await approved(two)
    new = {"kind": "hotp", "approval": approval}
    fob = (await two.bank("POST", f"/v1/users/{two.victim}/factors", new)).json()
    for factor in (fob["id"], caller_phone.factor):
        await two.tamper(sealed_as(b"", factor))

    def activate(connection: Connection) -> None:
        connection.execute(update(KEPT).where(KEPT.c.id == fob["id"]).values(status="active"))

    await two.tamper(activate)
    path = f"/v1/users/{two.victim}/factors"
    moved = await two.bank("POST", f"{path}/{fob['id']}/resynchronization", {"code": "123456", "next_code": "654321"})
    assert (moved.status_code, moved.json()["code"]) == (503, "unreadable")
    (event,) = await world.events("factor:resynchronization_failed")
    assert event.reason == "unreadable"
    assert len((await two.bank("GET", path)).json()["data"]) == 3
    body = {"user": two.victim, "action": "manage_factors", "context": CONTEXT}
    begun = (await two.bank("POST", "/v1/authentications", body)).json()["id"]
    said = await two.bank("POST", f"/v1/authentications/{begun}/verifications", {"code": caller_phone.backup_codes[0]})
    assert said.json()["status"] == "approved", said.text
    imported = {"kind": "totp", "approval": begun, "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}
    made = await two.bank("POST", path, imported)
    assert made.status_code == 201, made.text


@pytest.mark.requirement("K1", "G1", "G3")
async def test_an_audit_key_of_another_person_stops_what_it_should_record(two: Two) -> None:
    """Without its event nothing is done; the log of all others is read as before."""
    key = select(USERS.table.c.audit_key).where(USERS.table.c.id == two.attacker).scalar_subquery()
    users = USERS.table
    await two.tamper(lambda c: c.execute(update(users).where(users.c.id == two.victim).values(audit_key=key)))
    body = {"user": two.victim, "code": two.theirs.code(), "context": CONTEXT}
    for path in ("/v1/verify", "/v1/authentications"):
        sent = body if path == "/v1/verify" else {key: body[key] for key in ("user", "context")}
        refused = await two.bank("POST", path, sent)
        assert (refused.status_code, refused.json()["code"]) == (503, "unreadable")
        assert "assertion" not in refused.text
    events = await two.api.world.events()
    assert any(event.personal for event in events if event.user == two.attacker)
    listed = await two.bank("GET", "/v1/audit/events?limit=200")
    assert listed.status_code == 200
    assert all(event["personal"] is None for event in listed.json()["data"] if event["user"] == two.victim)
    assert not [event for event in events if event.user == two.victim and event.type.startswith("authentication:")]


@pytest.mark.requirement("K1", "G3")
async def test_a_kept_answer_of_another_request_does_not_open(two: Two) -> None:
    """An answer is bound to its own Idempotency-Key."""
    answers = IDEMPOTENT_ANSWERS.table

    async def ask(user: str, key: str) -> Any:
        body = {"user": user, "context": CONTEXT, "action": "transfer"}
        return await two.bank("POST", "/v1/authentications", body, headers={"idempotency-key": key})

    first, second = await ask(two.victim, "one"), await ask(two.attacker, "two")
    assert first.status_code == second.status_code == 201

    def swap(connection: Connection) -> None:
        rows = connection.execute(select(answers.c.id, answers.c.sealed).order_by(answers.c.created_at)).all()
        for (id_, _), (_, sealed) in zip(rows, reversed(rows), strict=True):
            connection.execute(update(answers).where(answers.c.id == id_).values(sealed=sealed))

    await two.tamper(swap)
    again = await ask(two.victim, "one")
    assert (again.status_code, again.json()["code"]) == (503, "unreadable")


def tampered(installation: Installation, *statements: str) -> tuple[int, str]:
    """How a server ends that starts on a file with these changes."""
    engine: Engine = create_engine(f"sqlite:///{installation.folder}/nightlatch.db")
    with engine.begin() as connection:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0
    engine.dispose()
    done = installation.run("doctor")
    assert done.code == 1, done
    log = installation.folder.parent / "log"
    process = installation.start("serve", "--port", "0", log=log)
    try:
        code = process.wait(WITHIN)
    finally:
        process.kill()
    assert "Traceback" not in log.read_text()
    return code, log.read_text()


@pytest.mark.requirement("K1", "G3")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE signing_keys SET sealed = zeroblob(80)", "Signing key"),
        ("UPDATE signing_keys SET kid = 'another'", "Signing key"),
        (
            "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE id LIKE 'dk_%') WHERE id LIKE 'mac_%'",
            "Data key",
        ),
        ("DELETE FROM data_keys WHERE id LIKE 'dk_%'", "no complete set of keys"),
        ("DELETE FROM signing_keys", "no signing key"),
    ],
)
def test_keys_that_were_changed_stop_the_start(tmp_path: Path, change: str, said: str) -> None:
    """With a line that says so: nothing is signed or opened by a key that is not ours."""
    installation = Installation(tmp_path / "data")
    installation.folder.mkdir(mode=0o700)
    installation.made("app", "create", "bank")
    code, err = tampered(installation, change)
    assert code == 3
    assert said in err
