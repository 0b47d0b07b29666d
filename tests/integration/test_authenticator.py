"""The reference authenticator on a real server: paired by the picture's address, answering by number."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nightlatch.testing import CONTEXT, Server, nightlatch
from nightlatch_client import Nightlatch, Refused
from nightlatch_client.authenticator import Authenticator
from tests.support.codes import shows

__all__ = ["nightlatch"]


def begun(nightlatch: Server, username: str) -> dict[str, Any]:
    nightlatch.call("POST", "/v1/users", {"username": username})
    return nightlatch.call("POST", f"/v1/users/{username}/factors", {"kind": "push"})


def paired(nightlatch: Server, username: str) -> tuple[Authenticator, str]:
    factor = begun(nightlatch, username)
    phone, waiting = Authenticator.pair(factor["enrollment"]["uri"], name="Test phone")
    assert phone.approve(waiting, factor["enrollment"]["number"]) == "approved"
    active = nightlatch.call("POST", f"/v1/users/{username}/factors/{factor['id']}/activation", {})
    assert active["status"] == "active"
    assert len(active["backup_codes"]) == 10
    return phone, factor["id"]


def asked(nightlatch: Server, username: str, factor: str, **more: Any) -> tuple[str, str]:
    body = {"user": username, "context": CONTEXT, "first_factor": "pwd", **more}
    attempt = nightlatch.call("POST", "/v1/authentications", body)
    challenge = nightlatch.call("POST", f"/v1/authentications/{attempt['id']}/challenges", {"factor": factor})
    assert len(challenge["number"]) == 6
    return attempt["id"], challenge["number"]


@pytest.mark.requirement("P1", "P2", "P3", "B2")
def test_a_sign_in_is_approved_by_its_number(nightlatch: Server) -> None:
    """Paired, asked, approved; the application reads an assertion that holds."""
    phone, factor = paired(nightlatch, "pia")
    with phone:
        attempt, number = asked(nightlatch, "pia", factor)
        (waiting,) = phone.waiting(wait=5)
        assert (waiting.application, waiting.action, shows(str(waiting.asked), number)) == ("tests", "login", False)
        assert phone.approve(waiting, number) == "approved"
        assert phone.approve(waiting, number) == "expired"
        with Nightlatch(nightlatch.url, nightlatch.api_key, application=nightlatch.application) as mfa:
            done = mfa.read(attempt)
            proved = mfa.verify(done.assertion, expected_user=done.user, expected_authentication=attempt)
            assert proved.acr == "aal2"


@pytest.mark.requirement("P2", "P5")
def test_a_wrong_number_and_a_no_end_it(nightlatch: Server) -> None:
    """A guess ends the challenge; a no ends the sign-in; a stranger's ring blocks the way at once."""
    phone, factor = paired(nightlatch, "pam")
    with phone:
        _, number = asked(nightlatch, "pam", factor)
        wrong = f"{(int(number) + 1) % 1_000_000:06d}"
        assert phone.approve(phone.waiting()[0], wrong) == "wrong_number"
        attempt, _ = asked(nightlatch, "pam", factor)
        assert phone.deny(phone.waiting()[0], not_me=True) in ("not_me", "blocked")
        assert nightlatch.call("GET", f"/v1/authentications/{attempt}")["status"] == "rejected"
        assert phone.waiting() == []


@pytest.mark.requirement("B2")
def test_a_pairing_code_works_once(nightlatch: Server) -> None:
    """Neither again nor in another spelling."""
    factor = begun(nightlatch, "pat")
    code, url = factor["enrollment"]["code"], nightlatch.url
    spelt = f"{code[:4]}-{code[4:8].lower()} {code[8:]}"
    phone, waiting = Authenticator.pair(url, code=spelt, name="First")
    with phone:
        with pytest.raises(Refused):
            Authenticator.pair(factor["enrollment"]["uri"], name="Second")
        assert phone.approve(waiting, factor["enrollment"]["number"]) == "approved"


def test_the_command_line_pairs_and_approves(nightlatch: Server, tmp_path: Path) -> None:
    """The key file is its owner's alone; what is wrong is said in a line."""
    file = tmp_path / "phone.json"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "nightlatch", "authenticator", *words, "--file", str(file)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    factor = begun(nightlatch, "pru")
    enrollment = factor["enrollment"]
    done = run("pair", enrollment["uri"], "--number", enrollment["number"], "--name", "Desk")
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    nightlatch.call("POST", f"/v1/users/pru/factors/{factor['id']}/activation", {})
    nothing = run("approve", "--number", "000000")
    assert (nothing.returncode, nothing.stderr.strip()) == (1, "nightlatch: No sign-in waits for this authenticator.")
    _, number = asked(nightlatch, "pru", factor["id"])
    done = run("approve", "--number", number)
    assert (done.returncode, done.stdout.strip()) == (0, "approved")
    file.chmod(0o644)
    assert "chmod 600" in run("approve", "--deny").stderr
