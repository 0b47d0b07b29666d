"""From one key-encryption key to another."""

from __future__ import annotations

from nightlatch.adapters.keys.kek import KeyEncryptionKey
from nightlatch.domain.crypto.sealing import NONCE_BYTES
from nightlatch.domain.records import DataKey
from nightlatch.ports.world import Entropy


class Rewrapping:
    """A ``KeyWrapping``."""

    def __init__(self, old: KeyEncryptionKey, new: KeyEncryptionKey, entropy: Entropy) -> None:
        self._old = old
        self._new = new
        self._entropy = entropy

    def rewrap(self, key: DataKey) -> DataKey:
        """See ``KeyWrapping``. Raises ``KeyUnusable``."""
        return self._old.rewrapped(key, self._new, nonce=self._entropy.bytes(NONCE_BYTES))
