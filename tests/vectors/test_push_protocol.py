"""The vector of docs/reference/push-protocol.md: what the page shows is what the server takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from nightlatch.domain.factors.push_protocol import (
    Asked,
    NotAccepted,
    check_pairing,
    check_request,
    check_response,
    pairing_claims,
    public_key,
    request_claims,
    response_claims,
)
from nightlatch.domain.time import SECOND

PAGE = (Path(__file__).parents[2] / "docs/reference/push-protocol.md").read_text(encoding="utf-8")
KEY_AND_CODE, SAID = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
PAIRING, REQUEST, RESPONSE = (block.strip() for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL))
AT = 1_766_000_000
URL = "https://mfa.example"


@pytest.mark.requirement("P4")
def test_the_page_is_what_the_server_takes() -> None:
    """All three messages verify at their time, and say what the page says."""
    key = public_key(KEY_AND_CODE["public_key"])
    check_pairing(pairing_claims(PAIRING, key), aud=URL, code=KEY_AND_CODE["code"], now=AT * SECOND)
    asked = request_claims(REQUEST, key)
    check_request(asked, aud=URL, method="GET", path="/v1/push/challenges", body=b"", now=(AT + 5) * SECOND)
    claims = response_claims(RESPONSE, key)
    names = ("aud", "challenge", "user", "factor", "application", "action", "action_hash")
    check_response(claims, Asked(created_at=AT * SECOND, **{name: SAID[name] for name in names}), (AT + 10) * SECOND)
    assert {name: value for name, value in msgspec.to_builtins(claims).items() if name in SAID} == SAID


def test_no_message_passes_for_another() -> None:
    """Each is of one type alone."""
    key = public_key(KEY_AND_CODE["public_key"])
    for read, others in (
        (pairing_claims, (REQUEST, RESPONSE)),
        (request_claims, (PAIRING, RESPONSE)),
        (response_claims, (PAIRING, REQUEST)),
    ):
        for other in others:
            with pytest.raises(NotAccepted):
                read(other, key)
