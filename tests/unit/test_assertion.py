"""The claims that an application believes."""

from __future__ import annotations

from typing import Any

import pytest

from nightlatch.domain.assertion import claims
from nightlatch.domain.assurance import Assurance
from nightlatch.domain.time import SECOND

NOW = 1_766_000_000 * SECOND + 999_999
GIVEN: dict[str, Any] = {
    "issuer": "https://mfa.example.com",
    "audience": "app_1",
    "subject": "usr_1",
    "username": "maya",
    "now": NOW,
    "auth_time": NOW - 2 * SECOND,
    "acr": Assurance.AAL2,
    "amr": ("mfa", "otp", "pwd"),
    "first_factor": "pwd",
    "action": "transfer",
    "action_hash": "hash",
    "authentication": "atn_1",
    "jti": "jti_1",
}


@pytest.mark.requirement("E1", "E6")
def test_an_assertion_says_who_proved_what_to_whom_and_for_five_minutes() -> None:
    """All claims, with times in whole seconds, rounded down."""
    assert claims(**GIVEN) == {
        "iss": "https://mfa.example.com",
        "aud": "app_1",
        "sub": "usr_1",
        "preferred_username": "maya",
        "iat": 1_766_000_000,
        "exp": 1_766_000_300,
        "auth_time": 1_765_999_998,
        "acr": "aal2",
        "amr": ["mfa", "otp", "pwd"],
        "first_factor": "pwd",
        "action": "transfer",
        "action_hash": "hash",
        "txn": "atn_1",
        "jti": "jti_1",
    }


def test_what_is_not_known_is_left_out() -> None:
    """No claim has an empty value that a reader could take for something."""
    said = claims(**GIVEN | {"first_factor": None, "action_hash": None})
    assert "first_factor" not in said
    assert "action_hash" not in said
    assert None not in said.values()


@pytest.mark.requirement("E7")
@pytest.mark.parametrize(
    "wrong",
    [
        {"amr": ("totp",)},
        {"amr": ("otp",)},
        {"acr": Assurance.AAL1},
        {"amr": ()},
    ],
)
def test_methods_and_level_must_bear_each_other_out(wrong: dict[str, Any]) -> None:
    """A mistake elsewhere becomes an error here, and not an assertion."""
    with pytest.raises(ValueError, match=r"amr|mfa"):
        claims(**GIVEN | wrong)


def test_nothing_is_proved_in_the_future() -> None:
    """A proof after now is no proof."""
    with pytest.raises(ValueError, match="after now"):
        claims(**GIVEN | {"auth_time": NOW + 1})


@pytest.mark.requirement("E3")
def test_a_skipped_or_allowed_sign_in_is_honest() -> None:
    """``aal1``, the password at most, no ``mfa``."""
    said = claims(**GIVEN | {"acr": Assurance.AAL1, "amr": ("pwd",)})
    assert (said["acr"], said["amr"]) == ("aal1", ["pwd"])


@pytest.mark.requirement("E1")
@pytest.mark.parametrize(("ends", "exp"), [(120, 1_766_000_120), (300, 1_766_000_300), (86_400, 1_766_000_300)])
def test_a_policy_shortens_the_life_of_an_assertion_and_never_lengthens_it(ends: int, exp: int) -> None:
    """The end is the earlier of five minutes and what ``max_age`` allows."""
    assert claims(**GIVEN | {"ends": NOW + ends * SECOND})["exp"] == exp
