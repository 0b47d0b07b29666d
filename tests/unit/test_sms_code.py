"""Numbers that get texts, codes that are good in one place, and when the next is due."""

from __future__ import annotations

import pytest

from nightlatch.domain.crypto.codes import numeric_code
from nightlatch.domain.factors import sms
from nightlatch.domain.factors.base import Expired, WrongCode
from nightlatch.domain.factors.sms import CODE_LIFE, SentCode
from nightlatch.domain.fields import BadField
from nightlatch.domain.time import MINUTE, SECOND

NOW = 1_766_000_000 * SECOND
KEY = bytes(range(32))
HERE = ("authentication", "atn_1", "fac_1")


def sent(code: str = "482913", **fields: object) -> SentCode:
    """A code that was texted now."""
    given: dict[str, object] = {
        "mac": sms.mac_of(KEY, code, HERE), "expires_at": NOW + CODE_LIFE, "sends": 1, "resend_after": NOW,
        "message": "msg_1", "about": "chl_1", "sent_at": NOW, "trusted": False,
    } | fields  # fmt: skip
    return SentCode(**given)  # type: ignore[arg-type]  # the fields of a struct


@pytest.mark.parametrize(
    ("text", "e164", "country", "prefix", "hint"),
    [
        ("+49 151 12345678", "+4915112345678", "DE", "+49151", "ending 78"),
        ("+49 (0)171-392 00 01", "+491713920001", "DE", "+49171", "ending 01"),
        ("+1 202 555 0123", "+12025550123", "US", "+1202", "ending 23"),
        ("\uff0b49 1713920001", "+491713920001", "DE", "+49171", "ending 01"),
    ],
)
def test_numbers_that_get_texts(text: str, e164: str, country: str, prefix: str, hint: str) -> None:
    """However they are spelt; a number shows its last two digits and no more."""
    number = sms.number(text)
    assert (number.e164, number.country, number.prefix, number.hint) == (e164, country, prefix, hint)
    assert e164[3:] not in repr(number)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0171 3920001", "invalid_phone"),
        ("+49 171 3920001 ext. 5", "invalid_phone"),
        ("+49", "invalid_phone"),
        ("", "invalid_phone"),
        ("\0" * 9999, "invalid_phone"),
        ("+49 30 1234567", "not_textable"),  # a landline
        ("+49 900 1 234567", "not_textable"),  # premium
        ("+49 1805 123456", "not_textable"),  # shared cost
        ("+49 1690 0123456", "not_textable"),  # a pager
        ("+44 70 1234 5678", "not_textable"),  # a personal number, which forwards at a price
        ("+1 800 555 0199", "not_textable"),  # toll-free
        ("+881 6 12345678 9", "not_textable"),  # a satellite
        ("+870 773 123 456", "not_textable"),  # a ship
        ("+44 7700 900123", "not_textable"),  # a range that nobody was given
    ],
)
def test_numbers_that_get_none(text: str, code: str) -> None:
    """What costs more, reaches nobody, or lies nowhere."""
    with pytest.raises(BadField) as refused:
        sms.number(text)
    assert refused.value.code == code


def test_numbers_on_the_internet_are_for_operators_to_allow() -> None:
    """Refused by default."""
    with pytest.raises(BadField) as refused:
        sms.number("+44 56 0123 4567")
    assert refused.value.code == "voip_number"
    assert sms.number("+44 56 0123 4567", voip=True).country == "GB"


@pytest.mark.requirement("S1")
def test_six_digits_from_the_dice() -> None:
    """Leading zeros included."""
    assert numeric_code(bytes(16)) == "000000"
    assert len({numeric_code(n.to_bytes(16, "big")) for n in range(1000)}) == 1000


@pytest.mark.requirement("S5", "K3")
def test_a_code_is_good_for_its_place_alone() -> None:
    """Under another key, in another sign-in, for another number it is another code; and nothing of it is kept."""
    code = sent()
    sms.match(KEY, "482 913", code, NOW, HERE)
    for key, context in ((bytes(32), HERE), (KEY, (*HERE[:1], "atn_2", HERE[2])), (KEY, (*HERE[:2], "fac_2"))):
        with pytest.raises(WrongCode):
            sms.match(key, "482913", code, NOW, context)
    assert b"482913" not in code.mac


@pytest.mark.requirement("S2")
@pytest.mark.parametrize("moved", [CODE_LIFE, CODE_LIFE + MINUTE, -1])
def test_a_code_has_its_time(moved: int) -> None:
    """Also a right one, and also when the clock was set back."""
    sms.match(KEY, "482913", sent(), NOW + CODE_LIFE - 1, HERE)
    with pytest.raises(Expired):
        sms.match(KEY, "482913", sent(), NOW + moved, HERE)


@pytest.mark.parametrize("typed", ["", "48291", "4829130", "482913x", "48291\u0663", "\0" * 6])
def test_other_texts_are_wrong(typed: str) -> None:
    """Whatever is typed."""
    with pytest.raises(WrongCode):
        sms.match(KEY, typed, sent("482914"), NOW, HERE)


def test_without_a_text_no_code_is_right() -> None:
    """Nothing was sent."""
    with pytest.raises(WrongCode):
        sms.match(KEY, "482913", None, NOW, HERE)


def test_waits_double() -> None:
    """From half a minute; strange counts make no huge number."""
    assert [sms.resend_wait(n) // SECOND for n in range(1, 6)] == [30, 60, 120, 240, 480]
    assert sms.resend_wait(10**9) == sms.resend_wait(6)
    assert sms.resend_wait(-1) == 30 * SECOND


def test_what_is_kept_is_read_back() -> None:
    """As JSON holds it."""
    assert SentCode.of_data(sent().to_data()) == sent()
    assert SentCode.of_data(None) is None
