"""Rows that hold a public key carry a MAC, checked whenever the key is used (K1).

Such a row has nothing to hide, but whoever can write to the database could put a key of their own in it.
"""

from __future__ import annotations

import base64
import binascii

from msgspec.structs import replace

from nightlatch.app.context import Ports
from nightlatch.domain.crypto.canonical import canonical
from nightlatch.domain.crypto.mac import FactorRow, MacBroken, check_row, row_mac
from nightlatch.domain.factors.push_protocol import base64url
from nightlatch.domain.records import Factor

# Of the public fields, what decides whose answer counts and for how much.
_COVERED = ("jwk", "uv", "pairing")


def with_mac(ports: Ports, factor: Factor) -> Factor:
    """The factor with the MAC of its row as it stands; one that holds no public key stays as it is."""
    if "jwk" not in factor.public:
        return factor
    mac = row_mac(_key(ports), _row(factor))
    return replace(factor, public={**factor.public, "mac": base64url(mac)})


def check_mac(ports: Ports, factor: Factor) -> None:
    """Return if the row is as we wrote it. Raises ``MacBroken``."""
    try:
        stored = base64.urlsafe_b64decode(f"{factor.public.get('mac', '')}=")
    except (binascii.Error, ValueError):
        raise MacBroken("the factor's row was changed") from None
    check_row(_key(ports), _row(factor), stored)


def _row(factor: Factor) -> FactorRow:
    covered = canonical({name: factor.public.get(name) for name in _COVERED})
    return FactorRow(factor.user_id, factor.id, factor.kind.value, covered, factor.status.value)


def _key(ports: Ports) -> bytes:
    return ports.sealer.digest("factor rows", b"")
