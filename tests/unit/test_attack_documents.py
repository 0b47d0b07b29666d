"""Documents that are costly to read, and key sets that are none."""

from __future__ import annotations

from typing import Any

import pytest

from nightlatch.domain.policy import reading
from nightlatch.domain.policy.loader import load
from nightlatch.domain.policy.problems import PolicyErrors, nearest
from nightlatch_client.assertions import Expected, NotVerified, check


def test_a_document_of_unknown_groups_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each was compared with all groups there are: a hundred of them held up everybody for minutes."""
    looked = 0

    def counted(word: str, valid: Any) -> str | None:
        nonlocal looked
        looked += len(valid)
        return nearest(word, valid)

    monkeypatch.setattr(reading, "nearest", counted)
    named = ", ".join(f"teem-{n}" for n in range(120))
    document = f"mfa_enforcement: {{all_users: false, groups: [{named}]}}"
    for many in (5, 1_000, 20_000):
        looked = 0
        with pytest.raises(PolicyErrors) as refused:
            load(document, groups_known=[f"team-{n}" for n in range(many)])
        assert looked <= reading.MOST_LOOKED_UP * reading.MOST_LOOKED_THROUGH
        assert refused.value.problems[0].nearest == ("team-0" if many <= reading.MOST_LOOKED_THROUGH else None)


@pytest.mark.requirement("E8", "G3")
@pytest.mark.parametrize("keys", [{"keys": [1]}, {"keys": None}, {"keys": "ab"}, {"keys": {"a": 1}}, {}])
def test_a_key_set_that_is_none_verifies_nothing(keys: dict[str, Any]) -> None:
    """Whatever answered in the server's place: the word for it is always the same."""
    token = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsiLCJ0eXAiOiJuaWdodGxhdGNoLWFzc2VydGlvbitqd3QifQ.e30." + "A" * 86
    expected = Expected(issuer="i", application="a", user="u", authentication="t")
    with pytest.raises(NotVerified):
        check(token, keys, expected, now=0)
