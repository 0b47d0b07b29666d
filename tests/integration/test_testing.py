"""What integrators test against is the real server, and their tests can fail."""

from __future__ import annotations

import pytest

from nightlatch.testing import Phone, Server, nightlatch
from nightlatch_client import AsyncNightlatch, Nightlatch, NotVerified, Refused

__all__ = ["nightlatch"]


def test_a_phone_scans_and_its_codes_work_once(nightlatch: Server) -> None:
    """Codes of the phone are new ones each time; an old one is refused by name."""
    phone = nightlatch.person("ada")
    code = phone.code()
    assert nightlatch.verify("ada", code)["status"] == "approved"
    assert nightlatch.verify("ada", code)["reason"] == "replayed"


def test_a_phone_reads_a_picture(nightlatch: Server) -> None:
    """The PNG that people scan holds what the address says."""
    import base64

    nightlatch.call("POST", "/v1/users", {"username": "bea"})
    enrollment = nightlatch.call("POST", "/v1/users/bea/factors", {"kind": "totp"})["enrollment"]
    png = base64.b64decode(enrollment["qr_png"].partition(",")[2])
    pictured, written = Phone().scan(png), Phone().scan(enrollment["uri"])
    # A period may end between the two: then the second code of the one is the first of the other.
    assert {pictured.code(), pictured.code()} & {written.code(), written.code()}


def test_the_client_signs_somebody_in(nightlatch: Server) -> None:
    """Attempt, answer, and an assertion that holds for this sign-in and for no other."""
    phone = nightlatch.person("cleo")
    with Nightlatch(nightlatch.url, nightlatch.api_key, application=nightlatch.application) as mfa:
        attempt = mfa.authenticate("cleo", ip="192.0.2.7", first_factor="pwd")
        assert attempt.decision == "challenge"
        done = mfa.answer(attempt.id, phone.code())
        assert done.approved
        proved = mfa.verify(done.assertion, expected_user=attempt.user, expected_authentication=attempt.id)
        assert (proved.acr, "mfa" in proved.amr, proved.username) == ("aal2", True, "cleo")
        with pytest.raises(NotVerified):
            mfa.verify(done.assertion, expected_user=attempt.user, expected_authentication="atn_0")
        with pytest.raises(Refused) as refused:
            mfa.authenticate("cleo", ip="nowhere")
        assert refused.value.errors[0]["pointer"] == "/context/ip"


async def test_the_asynchronous_client_does_the_same(nightlatch: Server) -> None:
    """One call for logins that hold the code already."""
    phone = nightlatch.person("dora")
    async with AsyncNightlatch(nightlatch.url, nightlatch.api_key, application=nightlatch.application) as mfa:
        done = await mfa.verify_code("dora", phone.code(), ip="192.0.2.7", first_factor="pwd")
        assert done.approved
        attempt = await mfa.read(done.answer["id"])
        proved = await mfa.verify(done.assertion, expected_user=attempt.user, expected_authentication=attempt.id)
        assert proved.action == "login"
