"""The ring of data keys: seals under one, opens under all that are kept."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

import msgspec

from nightlatch.adapters.keys.kek import KeyEncryptionKey
from nightlatch.adapters.keys.providers import KeyUnusable
from nightlatch.domain.crypto.fields import encode_fields
from nightlatch.domain.crypto.sealing import NONCE_BYTES, Place, open_, seal
from nightlatch.domain.keys import MAC_KEY, sealing_key, sealing_keys
from nightlatch.domain.records import DataKey
from nightlatch.ports.catalog import KeptKeys
from nightlatch.ports.world import Clock, Entropy


class _Keys(msgspec.Struct, frozen=True):
    """One state of the ring, swapped whole so that no request sees half a reload."""

    opening: Mapping[str, bytes]
    sealing: tuple[DataKey, ...]
    mac_id: str
    mac: bytes

    def __repr__(self) -> str:
        """Without the keys, which would end in a log (K3)."""
        return f"_Keys({', '.join(self.opening)})"


class KeyRing:
    """A ``Sealer``. Empty until ``load``; until then every call raises ``KeyUnusable``."""

    def __init__(self, kek: KeyEncryptionKey, clock: Clock, entropy: Entropy) -> None:
        self._kek = kek
        self._clock = clock
        self._entropy = entropy
        self._keys: _Keys | None = None
        self._derived: dict[str, bytes] = {}

    def load(self, kept: KeptKeys) -> None:
        """Take these keys. Raises ``KeyUnusable`` when they were wrapped by another key."""
        opened = {key.id: self._opened(key) for key in kept.data_keys if key.wrapped}
        macs = [key_id for key_id in opened if key_id.startswith(MAC_KEY + "_")]
        in_force = sealing_keys(kept.data_keys)
        if len(macs) != 1 or not in_force:
            raise KeyUnusable("The database holds no complete set of keys. Restore it.")
        mac = opened.pop(macs[0])
        self._keys = _Keys(opened, tuple(in_force), macs[0], mac)
        self._derived.clear()

    def _opened(self, key: DataKey) -> bytes:
        """A key that was opened before stays open when it is wrapped anew: servers go on until their next start."""
        known = self._keys
        if known is not None and key.id in known.opening:
            return known.opening[key.id]
        if known is not None and key.id == known.mac_id:
            return known.mac
        return self._kek.unwrap(key)

    def knows(self, key_id: str) -> bool:
        """Whether a value that names this key can be opened without a reload."""
        return self._keys is not None and key_id in self._keys.opening

    def seal(self, plaintext: bytes, place: Place) -> bytes:
        """Seal under the newest key that every process has had time to load."""
        key_id = self.current_key_id()
        key = self._loaded().opening[key_id]
        return seal(key, key_id, plaintext, aad=place, nonce=self._entropy.bytes(NONCE_BYTES))

    def open(self, sealed: bytes, place: Place) -> bytes:
        """Open under whichever key it names. Raises ``SealBroken``."""
        return open_(self._loaded().opening, sealed, place)

    def current_key_id(self) -> str:
        """The id of the key that seals now."""
        return sealing_key(self._loaded().sealing, self._clock.now()).id

    def digest(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA-256 under a key derived from the one that is never replaced."""
        key = self._derived.get(purpose)
        if key is None:
            key = hmac.digest(self._loaded().mac, encode_fields("nightlatch digest key", purpose), "sha256")
            self._derived[purpose] = key
        return hmac.digest(key, message, "sha256")

    def _loaded(self) -> _Keys:
        if self._keys is None:
            raise KeyUnusable("The keys are not loaded yet.")
        return self._keys
