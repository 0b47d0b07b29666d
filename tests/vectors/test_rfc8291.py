"""RFC 8291 §5 and appendix A: one message, every byte."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nightlatch.domain.webpush import encrypt, subscription_of

AS_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
UA_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
MESSAGE = b"When I grow up, I want to be a watermelon"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7"
    "A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.requirement("P8")
def test_the_example_of_the_rfc() -> None:
    """The message of the RFC, encrypted with its keys and its salt, is its body to the byte."""
    private = ec.derive_private_key(int.from_bytes(raw(AS_PRIVATE), "big"), ec.SECP256R1())
    to = subscription_of({"endpoint": "https://push.example.net/push/J", "keys": {"p256dh": UA_PUBLIC, "auth": AUTH}})
    assert encrypt(MESSAGE, to, private=private, salt=raw(SALT)) == raw(BODY)
