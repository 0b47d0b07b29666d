"""Sealing, signing and slow hashing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from nightlatch.domain.crypto.sealing import Place


class Sealer(Protocol):
    """Seals under the newest data key; opens under any that is kept."""

    def seal(self, plaintext: bytes, place: Place) -> bytes: ...

    def open(self, sealed: bytes, place: Place) -> bytes:
        """Raises ``SealBroken`` when the value was changed, moved, or its key is unknown."""
        ...

    def current_key_id(self) -> str: ...

    def digest(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA-256 under a key derived for this purpose, stable over rotation."""
        ...


class Signer(Protocol):
    """Signs assertions (ES256)."""

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """A compact JWS."""
        ...

    def jwks(self) -> dict[str, Any]:
        """The public keys that verifiers may need, RFC 7517 §5."""
        ...


class SlowHasher(Protocol):
    """Argon2id in a bounded pool: at most so many at once, the others wait."""

    async def hash(self, text: str) -> str: ...

    async def verify(self, hashed: str, text: str) -> bool: ...

    async def dummy(self) -> None:
        """Cost one verification, so that an unknown name costs what a known one does (H6)."""
        ...
