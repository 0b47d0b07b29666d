"""The key-encryption key in memory, with the id that wrapped keys name it by."""

from __future__ import annotations

import hashlib

import msgspec

from nightlatch.adapters.keys.providers import KeyUnusable
from nightlatch.domain.crypto.sealing import SealBroken, UnknownKey, key_id_of
from nightlatch.domain.crypto.wrapping import unwrap, wrap
from nightlatch.domain.records import DataKey


class KeyEncryptionKey:
    """Wraps and unwraps data keys. ``where`` tells people which file or variable it came from."""

    def __init__(self, key: bytes, where: str) -> None:
        self._key = key
        self.where = where
        # A fingerprint: it tells two keys apart and gives nothing away of 256 random bits.
        self.id = "kek_" + hashlib.sha256(b"nightlatch kek id" + key).hexdigest()[:16]

    def rewrapped(self, kept: DataKey, other: KeyEncryptionKey, *, nonce: bytes) -> DataKey:
        """A data key that this key wraps, under the other one. Raises ``KeyUnusable``."""
        wrapped = other.wrap(self.unwrap(kept), key_id=kept.id, nonce=nonce)
        return msgspec.structs.replace(kept, wrapped=wrapped)

    def wrap(self, data_key: bytes, *, key_id: str, nonce: bytes) -> bytes:
        """Wrap a data key of this id."""
        return wrap(self._key, self.id, data_key, key_id=key_id, nonce=nonce)

    def unwrap(self, kept: DataKey) -> bytes:
        """The data key itself. Raises ``KeyUnusable`` where this is not the key that wrapped it."""
        try:
            return unwrap({self.id: self._key}, kept.wrapped, key_id=kept.id)
        except UnknownKey:
            wanted = key_id_of(kept.wrapped)
            raise KeyUnusable(
                f"{self.where} is another key ({self.id}) than the one that this database was "
                f"sealed with ({wanted}). Put that one back from its backup; "
                "without it nothing that was sealed can be opened."
            ) from None
        except SealBroken:
            raise KeyUnusable(f"Data key {kept.id} was changed in the database. Restore the database.") from None
