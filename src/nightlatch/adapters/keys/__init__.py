"""Keys at rest and in use: providers, the ring of data keys, the signer, slow hashes."""

from nightlatch.adapters.keys.argon2 import Argon2Hasher
from nightlatch.adapters.keys.kek import KeyEncryptionKey
from nightlatch.adapters.keys.keyring import KeyRing
from nightlatch.adapters.keys.maker import FreshKeys
from nightlatch.adapters.keys.providers import (
    EnvironmentKeyProvider,
    FileKeyProvider,
    KeyProvider,
    KeyUnusable,
    write_key,
)
from nightlatch.adapters.keys.rewrapping import Rewrapping
from nightlatch.adapters.keys.signer import Es256Signer

__all__ = [
    "Argon2Hasher",
    "EnvironmentKeyProvider",
    "Es256Signer",
    "FileKeyProvider",
    "FreshKeys",
    "KeyEncryptionKey",
    "KeyProvider",
    "KeyRing",
    "KeyUnusable",
    "Rewrapping",
    "write_key",
]
