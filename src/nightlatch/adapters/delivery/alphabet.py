"""How a text is written on the air: GSM 7-bit (3GPP TS 23.038 §6.2.1) where it fits, else UCS-2, in parts where it is long.

A part that belongs to others begins with a user data header that numbers it (3GPP TS 23.040 §9.2.3.24.1).
"""

from __future__ import annotations

import msgspec

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = 0x1B
_EXTENDED = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

_SEPTETS = {char: bytes((code,)) for code, char in enumerate(_BASIC) if code != _ESCAPE} | {
    char: bytes((_ESCAPE, code)) for code, char in _EXTENDED.items()
}

GSM_ALONE, GSM_PART = 160, 153
UCS2_ALONE, UCS2_PART = 140, 134
"""Septets and octets of a message's user data, and what the header of a part leaves of them."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a text, one octet a septet where ``gsm``; with headers where there are several."""

    parts: tuple[bytes, ...]
    gsm: bool

    @property
    def headed(self) -> bool:
        """Whether the parts begin with a user data header."""
        return len(self.parts) > 1


def in_gsm(text: str) -> bool:
    """Whether every character is in the GSM alphabet."""
    return all(char in _SEPTETS for char in text)


def written(text: str, number: int) -> Written:
    """The text in parts; ``number`` (0 to 255) tells the parts of one text from those of another to the same phone."""
    gsm = in_gsm(text)
    units = [_SEPTETS[char] if gsm else char.encode("utf-16-be", "replace") for char in text]
    alone, part = (GSM_ALONE, GSM_PART) if gsm else (UCS2_ALONE, UCS2_PART)
    if sum(map(len, units)) <= alone:
        return Written(parts=(b"".join(units),), gsm=gsm)
    bodies = _filled(units, part)
    heads = (bytes((5, 0, 3, number, len(bodies), place)) for place in range(1, len(bodies) + 1))
    return Written(parts=tuple(head + body for head, body in zip(heads, bodies, strict=True)), gsm=gsm)


def _filled(units: list[bytes], room: int) -> list[bytes]:
    """No character is torn apart: neither one that is escaped nor a pair of surrogates."""
    bodies = [b""]
    for unit in units:
        if len(bodies[-1]) + len(unit) > room:
            bodies.append(b"")
        bodies[-1] += unit
    return bodies
