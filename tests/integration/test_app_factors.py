"""Factors from the scan to the removal, on a real store."""

from __future__ import annotations

from typing import Any

import pytest

from nightlatch.app.answer import answer
from nightlatch.app.authenticate import authenticate
from nightlatch.app.context import Caller
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.change import rename_factor
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.factors.find import get_factor, list_factors
from nightlatch.app.factors.remove import remove_factor
from nightlatch.app.factors.resynchronize import resynchronize
from nightlatch.app.messages import (
    Activation,
    ContextIn,
    FactorPatch,
    NewAuthentication,
    NewFactor,
    NewUser,
    NewVerification,
    Resynchronization,
    UserPatch,
)
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.users.change import change_user
from nightlatch.app.users.create import create_user
from nightlatch.app.users.reference import user_key
from nightlatch.domain.errors import Conflict, Invalid, NotFound, Refusal, Throttled
from nightlatch.domain.factors import totp
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.otpauth import parse
from nightlatch.domain.records import FactorStatus, UserKind
from nightlatch.domain.time import DAY, MINUTE, SECOND, moment
from tests.support.codes import shows
from tests.support.ports import Phone, World

FACTORLESS = "factors: {allowed: [hotp]}\n"


@pytest.fixture
async def bank(world: World) -> Caller:
    """An application with a user, Maya."""
    caller = await world.application()
    await world.person(caller)
    return caller


async def activate(world: World, caller: Caller, phone: Phone, code: str) -> Any:
    """Activate what this phone scanned."""
    return await activate_factor(world.ports, caller, "maya", phone.factor_id, Activation(code=code))


def problem(refused: Refusal) -> tuple[str, str]:
    """The one bad field."""
    (found,) = refused.fields
    return found.pointer, found.code


@pytest.mark.requirement("T1", "T11", "L1", "L4", "G1")
async def test_a_factor_is_begun_scanned_and_activated(world: World, bank: Caller) -> None:
    """The secret is shown once; the first activation brings ten backup codes, once."""
    enrolled = await enroll_factor(world.ports, bank, "maya", NewFactor(kind=FactorKind.TOTP, label=" Phone "))
    assert (enrolled.status, enrolled.label) == (FactorStatus.PENDING, "Phone")
    assert enrolled.expires_at == moment(world.clock.now() + 10 * MINUTE)
    scanned = parse(enrolled.enrollment.uri)
    assert (scanned.issuer, scanned.account, scanned.algorithm, scanned.digits, scanned.period) == (
        "Example", "maya", "SHA1", 6, 30,
    )  # fmt: skip
    assert len(scanned.secret) == 20
    assert enrolled.enrollment.secret
    assert totp.decode_secret(enrolled.enrollment.secret) == scanned.secret
    assert enrolled.enrollment.qr_svg.startswith("<svg")
    assert enrolled.enrollment.qr_png.startswith("data:image/png;base64,")
    phone = Phone(world.clock, enrolled.id, scanned)
    active = await activate(world, bank, phone, phone.code())
    assert (active.status, active.expires_at, active.activated_at) == (
        FactorStatus.ACTIVE, None, moment(world.clock.now()),
    )  # fmt: skip
    assert active.backup_codes is not None
    assert len(set(active.backup_codes)) == 10
    shown = await list_factors(world.ports, bank, "maya")
    assert [(f.kind, f.codes_left) for f in shown.data] == [(FactorKind.TOTP, None), (FactorKind.BACKUP_CODES, 10)]
    assert await get_factor(world.ports, bank, "maya", enrolled.id) == shown.data[0]
    assert enrolled.enrollment.secret not in str(shown)
    events = [(e.type, e.outcome) for e in await world.events() if e.type.split(":")[0] in ("factor", "backup_codes")]
    assert events == [
        ("factor:enrolled", "success"),
        ("factor:activated", "success"),
        ("backup_codes:created", "success"),
    ]


@pytest.mark.requirement("K1", "G2")
async def test_nothing_that_is_stored_shows_a_secret(world: World, bank: Caller) -> None:
    """Neither the rows nor the events; and a sealed seed does not open in another row."""
    phone, active = await world.activated(bank, "maya")
    snapshot = await world.ports.store.load(user_key("maya"))
    events = str(await world.events())
    rows = str(snapshot)
    assert active.backup_codes is not None
    assert not shows(events, totp.code_at(phone.scanned.secret, 0))
    for secret in active.backup_codes:
        assert secret not in events
    for secret in (repr(phone.scanned.secret)[2:-1], *(code.replace("-", "") for code in active.backup_codes)):
        assert secret not in rows
        assert secret not in events


@pytest.mark.requirement("T4", "T5")
async def test_activation_uses_the_code_up(world: World, bank: Caller) -> None:
    """The code that activated does not sign in."""
    phone = await world.begun(bank, "maya")
    await activate(world, bank, phone, phone.code())
    begun = await authenticate(world.ports, bank, NewAuthentication(user="maya", context=ContextIn(ip="192.0.2.1")))
    replayed = await answer(world.ports, bank, begun.id, NewVerification(code=phone.code()))
    assert (replayed.status, replayed.reason) == ("rejected", "replayed")
    with pytest.raises(Conflict) as again:
        await activate(world, bank, phone, phone.code(1))
    assert again.value.code == "already_active"


@pytest.mark.requirement("T5", "H1", "H2", "G1")
async def test_wrong_codes_count_against_the_pending_factor(world: World, bank: Caller) -> None:
    """Five are judged, the sixth waits 30 s; a throttled one is neither judged nor counted."""
    phone = await world.begun(bank, "maya", secret="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")  # whose codes differ
    for code in (phone.code(2), phone.code(-2), "x", phone.wrong(), ""):
        with pytest.raises(Invalid) as wrong:
            await activate(world, bank, phone, code)
        assert problem(wrong.value) == ("/code", "wrong_code")
    for _ in range(3):
        with pytest.raises(Throttled) as waits:
            await activate(world, bank, phone, phone.code())
        assert waits.value.retry_after == 30
    failures = await world.events("factor:activation_failed")
    assert [event.reason for event in failures] == ["wrong_code"] * 5 + ["throttled"] * 3
    assert all(event.factor == phone.factor_id and event.outcome == "failure" for event in failures)
    world.clock.advance(30 * SECOND)
    assert (await activate(world, bank, phone, phone.code())).status is FactorStatus.ACTIVE


@pytest.mark.requirement("B2")
async def test_a_pending_factor_dies_after_ten_minutes(world: World, bank: Caller) -> None:
    """It cannot be activated, is not shown, and makes room."""
    phone = await world.begun(bank, "maya")
    world.clock.advance(10 * MINUTE)
    with pytest.raises(Conflict) as over:
        await activate(world, bank, phone, phone.code())
    assert over.value.code == "enrollment_expired"
    assert (await list_factors(world.ports, bank, "maya")).data == []
    with pytest.raises(NotFound):
        await get_factor(world.ports, bank, "maya", phone.factor_id)
    with pytest.raises(NotFound):
        await rename_factor(world.ports, bank, "maya", phone.factor_id, FactorPatch(label="x"))
    await world.begun(bank, "maya")
    assert len((await world.ports.store.load(user_key("maya"))).factors) == 1


async def test_at_most_five_factors_are_pending(world: World, bank: Caller) -> None:
    """Nobody fills the table; dropping one or waiting makes room."""
    phones = [await world.begun(bank, "maya") for _ in range(5)]
    with pytest.raises(Conflict) as full:
        await world.begun(bank, "maya")
    assert full.value.code == "too_many_pending_factors"
    await remove_factor(world.ports, bank, "maya", phones[0].factor_id, None)
    await world.begun(bank, "maya")
    world.clock.advance(10 * MINUTE)
    await world.begun(bank, "maya")


@pytest.mark.requirement("T1", "T6", "G2")
@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"kind": FactorKind.SMS}, "/phone", "required"),
        ({"kind": FactorKind.WEBAUTHN}, "/kind", "kind_not_available"),
        ({"kind": FactorKind.PUSH, "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}, "/secret", "only_for_apps"),
        ({"kind": FactorKind.BACKUP_CODES}, "/kind", "kind_not_enrollable"),
        ({"label": "a\nb"}, "/label", "forbidden_character"),
        ({"label": "a\u202eb"}, "/label", "forbidden_character"),
        ({"label": "x" * 65}, "/label", "too_long"),
        ({"secret": "JBSWY3DPEHPK3PXP"}, "/secret", "too_short"),
        ({"secret": "not base32!"}, "/secret", "bad_base32"),
        ({"secret": "A" * 999}, "/secret", "too_long"),
        ({"period": 121}, "/period", "out_of_range"),
        ({"period": 0}, "/period", "out_of_range"),
        ({"digits": 5}, "/digits", "out_of_range"),
        ({"digits": 9}, "/digits", "out_of_range"),
        ({"kind": FactorKind.HOTP, "period": 60}, "/period", "only_for_totp"),
        ({"kind": FactorKind.HOTP, "algorithm": "SHA256"}, "/algorithm", "only_for_totp"),
    ],
)
async def test_what_cannot_be_enrolled(
    world: World, bank: Caller, fields: dict[str, Any], pointer: str, code: str
) -> None:
    """Each field with its reason."""
    with pytest.raises(Invalid) as refused:
        await enroll_factor(world.ports, bank, "maya", NewFactor(**{"kind": FactorKind.TOTP, **fields}))
    assert problem(refused.value) == (pointer, code)


@pytest.mark.requirement("T1", "T4")
async def test_an_imported_secret_works_and_works_in_one_factor_only(world: World, bank: Caller) -> None:
    """Two factors with one secret would each accept a code once."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    phone = await world.begun(bank, "maya", secret=secret.lower(), algorithm="SHA256")
    assert (phone.scanned.secret, phone.scanned.algorithm) == (b"12345678901234567890", "SHA256")
    with pytest.raises(Conflict) as twice:
        await world.begun(bank, "maya", secret=secret)
    assert twice.value.code == "secret_in_use"
    assert (await activate(world, bank, phone, phone.code())).status is FactorStatus.ACTIVE


async def test_secrets_are_as_long_as_their_hash(world: World, bank: Caller) -> None:
    """RFC 6238 §5.1."""
    for algorithm, length in (("SHA1", 20), ("SHA256", 32), ("SHA512", 64)):
        phone = await world.begun(bank, "maya", algorithm=algorithm)
        assert len(phone.scanned.secret) == length


async def test_a_colon_in_a_name_splits_no_label(world: World, bank: Caller) -> None:
    """T11: no colon inside either part."""
    await create_user(world.ports, bank, NewUser(username="corp:maya"))
    assert (await world.begun(bank, "corp:maya")).scanned.account == "corp-maya"


async def test_policy_says_which_kinds_there_are(world: World, bank: Caller) -> None:
    """At the beginning and at the end of an enrolment."""
    phone = await world.begun(bank, "maya")
    await apply_policy(world.ports, bank, "mfa_enforcement: {all_users: true}\n" + FACTORLESS, None)
    with pytest.raises(Invalid) as refused:
        await world.begun(bank, "maya")
    assert problem(refused.value) == ("/kind", "kind_not_allowed")
    with pytest.raises(Invalid):
        await activate(world, bank, phone, phone.code())
    _, active = await world.activated(bank, "maya", FactorKind.HOTP)
    assert active.backup_codes is None


async def test_policy_says_how_many_backup_codes(world: World, bank: Caller) -> None:
    """``recovery.backup_codes``."""
    document = "mfa_enforcement: {all_users: true}\nrecovery: {backup_codes: 12}\n"
    await apply_policy(world.ports, bank, document, None)
    _, active = await world.activated(bank, "maya")
    assert active.backup_codes is not None
    assert len(active.backup_codes) == 12


async def test_a_confirmation_that_a_key_cannot_give_is_not_taken_for_given(world: World, bank: Caller) -> None:
    """Where policy wants a first factor confirmed, a key alone adds none."""
    document = "mfa_enforcement: {all_users: true}\nfirst_factor: {confirm: invitation}\n"
    with pytest.raises(Invalid, match="not valid"):
        await apply_policy(world.ports, bank, document, None)
    await world.had_policy(document)
    with pytest.raises(Conflict) as refused:
        await world.begun(bank, "maya")
    assert refused.value.code == "confirmation_required"


async def test_who_has_no_factors(world: World, bank: Caller) -> None:
    """Service accounts, disabled users, and nobody."""
    service = NewUser(username="backup", kind=UserKind.SERVICE, owner="it", expires_at=moment(world.clock.now() + DAY))
    await create_user(world.ports, bank, service)
    with pytest.raises(Invalid) as refused:
        await world.begun(bank, "backup")
    assert refused.value.code == "service_account_has_no_factors"
    phone = await world.begun(bank, "maya")
    await change_user(world.ports, bank, "maya", UserPatch(status="disabled"))
    for attempt in (world.begun(bank, "maya"), activate(world, bank, phone, phone.code())):
        with pytest.raises(Conflict) as disabled:
            await attempt
        assert disabled.value.code == "user_disabled"
    with pytest.raises(NotFound):
        await world.begun(bank, "nobody")
    with pytest.raises(NotFound):
        await list_factors(world.ports, bank, "nobody")


async def test_factors_of_others_are_not_there(world: World, bank: Caller) -> None:
    """An id under another user is nothing."""
    await world.person(bank, "noor")
    phone = await world.begun(bank, "noor")
    for attempt in (
        get_factor(world.ports, bank, "maya", phone.factor_id),
        activate_factor(world.ports, bank, "maya", phone.factor_id, Activation(code=phone.code())),
        rename_factor(world.ports, bank, "maya", phone.factor_id, FactorPatch(label="x")),
        remove_factor(world.ports, bank, "maya", phone.factor_id, None),
        resynchronize(world.ports, bank, "maya", phone.factor_id, Resynchronization(code="1", next_code="2")),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_a_factor_is_renamed(world: World, bank: Caller) -> None:
    """Labels are sealed in the event; none is a label too."""
    phone, _ = await world.activated(bank, "maya", label="Old phone")
    renamed = await rename_factor(world.ports, bank, "maya", phone.factor_id, FactorPatch(label="New phone"))
    assert renamed.label == "New phone"
    await rename_factor(world.ports, bank, "maya", phone.factor_id, FactorPatch(label="New phone"))
    (event,) = await world.events("factor:renamed")
    assert event.personal == {"label": "New phone", "label_before": "Old phone"}
    assert (await rename_factor(world.ports, bank, "maya", phone.factor_id, FactorPatch(label=None))).label is None
    with pytest.raises(Invalid):
        await rename_factor(world.ports, bank, "maya", phone.factor_id, FactorPatch(label="a\rb"))


@pytest.mark.requirement("T8", "T9", "H1")
async def test_a_hotp_factor_comes_back_into_step_by_two_codes(world: World, bank: Caller) -> None:
    """It starts at counter 0; far ahead one code signs in nobody; two in a row bring it back, and are used up."""
    phone, _ = await world.activated(bank, "maya", FactorKind.HOTP)
    assert phone.scanned.counter == 0
    for _ in range(40):
        phone.press()
    alone = phone.press()
    begun = await authenticate(world.ports, bank, NewAuthentication(user="maya", context=ContextIn(ip="192.0.2.1")))
    assert (await answer(world.ports, bank, begun.id, NewVerification(code=alone))).status == "rejected"
    for codes in ((alone, alone), (phone.press(), alone)):
        request = Resynchronization(code=codes[0], next_code=codes[1])
        with pytest.raises(Invalid) as wrong:
            await resynchronize(world.ports, bank, "maya", phone.factor_id, request)
        assert problem(wrong.value) == ("/code", "wrong_code")
    in_step = Resynchronization(code=phone.press(), next_code=phone.press())
    assert (await resynchronize(world.ports, bank, "maya", phone.factor_id, in_step)).id == phone.factor_id
    with pytest.raises(Invalid):
        await resynchronize(world.ports, bank, "maya", phone.factor_id, in_step)
    assert (await answer(world.ports, bank, begun.id, NewVerification(code=in_step.next_code))).status == "rejected"
    assert (await answer(world.ports, bank, begun.id, NewVerification(code=phone.press()))).status == "approved"
    assert len(await world.events("factor:resynchronization_failed")) == 3
    assert len(await world.events("factor:resynchronized")) == 1


@pytest.mark.requirement("T9", "H1")
async def test_guessing_at_a_resynchronisation_waits_like_any_guess(world: World, bank: Caller) -> None:
    """Under the factor's own throttle; and only HOTP has a counter to move."""
    phone, _ = await world.activated(bank, "maya", FactorKind.HOTP)
    guess = Resynchronization(code="000000", next_code="000001")
    for _ in range(5):
        with pytest.raises(Invalid):
            await resynchronize(world.ports, bank, "maya", phone.factor_id, guess)
    right = Resynchronization(code=phone.press(), next_code=phone.press())
    with pytest.raises(Throttled) as waits:
        await resynchronize(world.ports, bank, "maya", phone.factor_id, right)
    assert waits.value.retry_after == 30
    world.clock.advance(30 * SECOND)
    await resynchronize(world.ports, bank, "maya", phone.factor_id, right)
    await world.person(bank, "noor")
    other, _ = await world.activated(bank, "noor")
    with pytest.raises(Conflict):
        await resynchronize(world.ports, bank, "noor", other.factor_id, guess)
