"""RFC 8785, and the hash that an assertion carries."""

from __future__ import annotations

import pytest

from nightlatch.domain.crypto.canonical import NotCanonical, action_hash, canonical


def test_the_example_of_section_3_2() -> None:
    """The sample of §3.2.2 gives the bytes of §3.2.4."""
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical(value) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    """§3.2.3: an emoji's surrogates sort before a Hebrew presentation form, although its code point is higher."""
    assert canonical({"\ufb33": 1, "\U0001f600": 2, "€": 3}) == '{"€":3,"\U0001f600":2,"\ufb33":1}'.encode()


def test_the_hash_of_details_is_that_of_sha256_over_the_canonical_form() -> None:
    """What ``printf '{"amount":100,"to":"DE02"}' | openssl dgst -sha256 -binary | basenc --base64url`` prints."""
    expected = "vJQwtQp83rEbC9G0FD16Ox5ZYPSj54FVlabcoWN_V38"
    assert action_hash({"to": "DE02", "amount": 100}) == expected
    assert action_hash({"amount": 100.0, "to": "DE02"}) == expected


@pytest.mark.parametrize(
    "details", [{"n": 2**53 + 1}, {"n": float("nan")}, {"n": float("inf")}, {"s": "\ud800"}, {"b": b"x"}, {"k": {1: 2}}]
)
def test_what_has_no_canonical_form_is_refused(details: dict[str, object]) -> None:
    """A value that two sides could hash differently is not hashed at all."""
    with pytest.raises(NotCanonical):
        action_hash(details)


def test_nesting_without_end_is_refused() -> None:
    """A body of a hundred thousand brackets is an error of the caller and none of ours."""
    details: dict[str, object] = {}
    for _ in range(100_000):
        details = {"a": details}
    with pytest.raises(NotCanonical):
        action_hash(details)
