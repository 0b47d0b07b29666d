"""Fresh keys, wrapped and sealed as they are kept."""

from __future__ import annotations

from nightlatch.adapters.keys.kek import KeyEncryptionKey
from nightlatch.adapters.keys.signer import new_private_key
from nightlatch.domain.crypto.sealing import KEY_BYTES, NONCE_BYTES, seal
from nightlatch.domain.ids import ENTROPY_BYTES, new_id
from nightlatch.domain.keys import DATA_KEY, MAC_KEY, signing_key_place
from nightlatch.domain.records import DataKey, SigningKey
from nightlatch.ports.rotation import FreshSet
from nightlatch.ports.world import Entropy


class FreshKeys:
    """A ``KeyMaker``: nothing that it makes is kept before somebody commits it."""

    def __init__(self, kek: KeyEncryptionKey, entropy: Entropy) -> None:
        self._kek = kek
        self._entropy = entropy

    def make(self, now: int) -> FreshSet:
        """A data key, and a signing key that is sealed under it."""
        data_key, secret = self._data_key(DATA_KEY, now)
        kid, private, public = new_private_key()
        sealed = seal(
            secret,
            data_key.id,
            private,
            aad=signing_key_place(kid),
            nonce=self._entropy.bytes(NONCE_BYTES),
        )
        signing_key = SigningKey(kid=kid, sealed=sealed, public_jwk=public, created_at=now)
        return FreshSet(data_key, signing_key)

    def make_mac_key(self, now: int) -> DataKey:
        """The key of all digests. There is one, and it is never replaced."""
        return self._data_key(MAC_KEY, now)[0]

    def _data_key(self, kind: str, now: int) -> tuple[DataKey, bytes]:
        key_id = new_id(kind, now, self._entropy.bytes(ENTROPY_BYTES))
        secret = self._entropy.bytes(KEY_BYTES)
        nonce = self._entropy.bytes(NONCE_BYTES)
        wrapped = self._kek.wrap(secret, key_id=key_id, nonce=nonce)
        return DataKey(id=key_id, wrapped=wrapped, created_at=now), secret
