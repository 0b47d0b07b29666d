"""How texts are written on the air, beside what another implementation makes of them."""

from __future__ import annotations

from aiosmpplib.codec import GSM7BitCodec
from hypothesis import given
from hypothesis import strategies as st

from nightlatch.adapters.delivery.alphabet import GSM_PART, UCS2_PART, in_gsm, written

GSM = st.text(st.sampled_from("@£$¥èéÄÖÑÜ§¿äöñüàΔΦ0123456789 abcXYZ\n\r€^{}[]~|\\"), max_size=500)


def bodies(text: str) -> list[bytes]:
    """The parts without their headers."""
    made = written(text, 7)
    return [part[6:] for part in made.parts] if made.headed else list(made.parts)


@given(GSM)
def test_gsm_text_is_written_as_another_implementation_writes_it(text: str) -> None:
    """3GPP TS 23.038 §6.2.1, one octet a septet."""
    assert in_gsm(text)
    assert b"".join(bodies(text)) == GSM7BitCodec.get_codec_info().encode(text)[0]


@given(GSM)
def test_parts_are_full_and_tear_nothing_apart(text: str) -> None:
    """No part ends with an escape, and none but the last has room for one more character."""
    parts = bodies(text)
    for part in parts:
        assert not part.endswith(b"\x1b")
    if len(parts) > 1:
        assert all(GSM_PART - 1 <= len(part) <= GSM_PART for part in parts[:-1])


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_comes_back(text: str) -> None:
    """In whichever alphabet."""
    made = written(text, 7)
    joined = b"".join(bodies(text))
    decoded = GSM7BitCodec.get_codec_info().decode(joined)[0] if made.gsm else joined.decode("utf-16-be")
    assert decoded == text
    if made.headed and not made.gsm:
        for part in bodies(text):
            assert len(part) <= UCS2_PART
            part.decode("utf-16-be")


@given(st.integers(0, 255))
def test_parts_say_which_they_are(number: int) -> None:
    """3GPP TS 23.040 §9.2.3.24.1: 5 octets of header, element 0 of 3 octets: number, how many, which."""
    made = written("a" * 400, number)
    assert [part[:6] for part in made.parts] == [bytes((5, 0, 3, number, 3, place)) for place in (1, 2, 3)]


def test_the_longest_that_goes_alone() -> None:
    """160 septets, where an escaped character counts two; 70 of UCS-2."""
    assert [len(written(text, 0).parts) for text in ("a" * 160, "a" * 161, "a" * 158 + "€", "a" * 159 + "€")] == [
        1,
        2,
        1,
        2,
    ]
    assert [len(written(text, 0).parts) for text in ("码" * 70, "码" * 71)] == [1, 2]
