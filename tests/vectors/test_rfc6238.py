"""RFC 6238, appendix B, with the keys of its reference implementation in appendix A."""

from __future__ import annotations

import pytest

from nightlatch.domain.factors import totp
from nightlatch.domain.factors.parameters import Algorithm
from nightlatch.domain.time import SECOND

DIGITS = b"1234567890"
SECRETS: dict[Algorithm, bytes] = {
    "SHA1": (DIGITS * 2)[:20],
    "SHA256": (DIGITS * 4)[:32],
    "SHA512": (DIGITS * 7)[:64],
}

VECTORS: tuple[tuple[int, int, Algorithm, str], ...] = (
    (59, 0x0000000000000001, "SHA1", "94287082"),
    (59, 0x0000000000000001, "SHA256", "46119246"),
    (59, 0x0000000000000001, "SHA512", "90693936"),
    (1111111109, 0x00000000023523EC, "SHA1", "07081804"),
    (1111111109, 0x00000000023523EC, "SHA256", "68084774"),
    (1111111109, 0x00000000023523EC, "SHA512", "25091201"),
    (1111111111, 0x00000000023523ED, "SHA1", "14050471"),
    (1111111111, 0x00000000023523ED, "SHA256", "67062674"),
    (1111111111, 0x00000000023523ED, "SHA512", "99943326"),
    (1234567890, 0x000000000273EF07, "SHA1", "89005924"),
    (1234567890, 0x000000000273EF07, "SHA256", "91819424"),
    (1234567890, 0x000000000273EF07, "SHA512", "93441116"),
    (2000000000, 0x0000000003F940AA, "SHA1", "69279037"),
    (2000000000, 0x0000000003F940AA, "SHA256", "90698825"),
    (2000000000, 0x0000000003F940AA, "SHA512", "38618901"),
    (20000000000, 0x0000000027BC86AA, "SHA1", "65353130"),
    (20000000000, 0x0000000027BC86AA, "SHA256", "77737706"),
    (20000000000, 0x0000000027BC86AA, "SHA512", "47863826"),
)


@pytest.mark.requirement("T3")
@pytest.mark.parametrize(("seconds", "step", "algorithm", "code"), VECTORS)
def test_the_values_of_appendix_b(seconds: int, step: int, algorithm: Algorithm, code: str) -> None:
    """All 18 values: step, code, and its acceptance at that instant."""
    params = totp.TotpParameters(algorithm, 8)
    secret = SECRETS[algorithm]
    now = seconds * SECOND
    assert totp.step_at(now, params) == step
    assert totp.code_at(secret, now, params) == code
    assert totp.match(secret, code, now, last_step=-1, params=params) == step
