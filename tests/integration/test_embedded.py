"""Inside a Python program: the same use cases, awaited or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightlatch import totp
from nightlatch.app.messages import (
    Activation,
    ContextIn,
    NewAuthentication,
    NewFactor,
    NewUser,
    NewVerification,
    OneShot,
)
from nightlatch.domain.errors import Conflict
from nightlatch.domain.factors.base import FactorKind
from nightlatch.embedded import BlockingNightlatch, Nightlatch

HERE = ContextIn(ip="192.0.2.7")


async def test_a_person_enrolls_and_signs_in(tmp_path: Path) -> None:
    """Decision, enrolment and verification without HTTP, and a store that is there the next time."""
    url = f"sqlite:///{tmp_path}/mfa.db"
    async with Nightlatch.open(url, issuer="Example Bank") as mfa:
        await mfa.create_user(NewUser(username="maya"))
        factor = await mfa.enroll_factor("maya", NewFactor(kind=FactorKind.TOTP))
        secret = factor.enrollment.secret
        assert secret
        first = totp.code_at(secret)
        active = await mfa.activate_factor("maya", factor.id, Activation(code=first))
        codes = active.backup_codes
        assert codes is not None
        assert len(codes) == 10

    async with Nightlatch.open(url) as mfa:
        attempt = await mfa.authenticate(NewAuthentication(user="maya", context=HERE))
        assert (attempt.decision, attempt.acr_required) == ("challenge", "aal2")
        replayed = await mfa.answer(attempt.id, NewVerification(code=first))
        assert (replayed.status, replayed.reason) == ("rejected", "replayed")
        approved = await mfa.answer(attempt.id, NewVerification(code=codes[0]))
        assert approved.assertion is not None
        assert (tmp_path / "mfa.db").exists()


def test_the_same_without_an_event_loop(tmp_path: Path) -> None:
    """The synchronous face raises the same refusals and closes cleanly."""
    with BlockingNightlatch.open(f"sqlite:///{tmp_path}/mfa.db") as mfa:
        mfa.create_user(NewUser(username="maya"))
        with pytest.raises(Conflict) as refused:
            mfa.create_user(NewUser(username="MAYA"))
        assert refused.value.code == "username_taken"
        answer = mfa.verify(OneShot(user="maya", code="123456", context=HERE))
        assert (answer.status, answer.decision, answer.reason) == ("rejected", "enroll", "no_such_factor")
        assert mfa.mfa.jwks()["keys"]


def test_codes_without_a_store() -> None:
    """The pure functions are a library of their own: a code is right once."""
    secret = totp.generate_secret()
    code = totp.code_at(secret, 1_766_000_000)
    step = totp.match(secret, code, 1_766_000_000, last_step=-1)
    with pytest.raises(totp.Replayed):
        totp.match(secret, code, 1_766_000_000, last_step=step)
    with pytest.raises(totp.WrongCode):
        totp.match(secret, code, 1_766_000_100, last_step=step)
    assert totp.qr(totp.provisioning_uri(secret, issuer="Bank", account="maya")).startswith("<svg")
