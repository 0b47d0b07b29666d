"""Where the key-encryption key comes from: a file that only we can read, or the environment.

The key is written as one line, ``nightlatch-key-1:KEY:CHECK``: a version, 32 bytes in base64url,
and the first eight hex digits of their SHA-256, so that a line that was cut or mistyped is told
apart from another key.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import stat
from pathlib import Path
from typing import Protocol

KEY_BYTES = 32
_VERSION = "nightlatch-key-1"
_MAXIMUM = 4096


class KeyUnusable(Exception):
    """The key is missing, damaged, unprotected or another one. The text says how to mend it."""


class KeyProvider(Protocol):
    """Gives the key-encryption key. ``where`` names its place for messages."""

    @property
    def where(self) -> str: ...

    def load(self) -> bytes | None:
        """The key; None when there is none yet. Raises ``KeyUnusable``."""
        ...

    def create(self, fresh: bytes) -> bytes:
        """Keep this key, unless another process was first: then the answer is that one's."""
        ...


def write_key(key: bytes) -> str:
    """The key as one line of text."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    body = base64.urlsafe_b64encode(key).decode("ascii").rstrip("=")
    return f"{_VERSION}:{body}:{_check(key)}"


def parse_key(text: str, where: str) -> bytes:
    """Read what ``write_key`` wrote. Raises ``KeyUnusable``, which never quotes the text."""
    version, _, rest = text.strip().partition(":")
    body, _, check = rest.partition(":")
    if not text.strip():
        raise KeyUnusable(f"{where} is empty. Put the key back from its backup.")
    if version != _VERSION:
        raise KeyUnusable(f"{where} holds no {_VERSION} key. Put the key back from its backup.")
    try:
        key = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES or check != _check(key):
        raise KeyUnusable(f"{where} is damaged. Put the key back from its backup.")
    return key


def _check(key: bytes) -> str:
    return hashlib.sha256(_VERSION.encode() + key).hexdigest()[:8]


class FileKeyProvider:
    """A file of mode 0600 (or stricter); made once, never overwritten."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def where(self) -> str:
        """The file's path."""
        return f"key file {self._path}"

    def load(self) -> bytes | None:
        """Read the key. The mode is checked on the open file, which nobody can swap meanwhile."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyUnusable(f"{self.where} cannot be read: {error.strerror}.") from None
        try:
            self._refuse_unprotected(os.fstat(descriptor))
            raw = os.read(descriptor, _MAXIMUM)
        finally:
            os.close(descriptor)
        return parse_key(raw.decode("ascii", errors="replace"), self.where)

    def create(self, fresh: bytes) -> bytes:
        """Write the file whole under another name, then link it into place if none is there.

        The link fails when the file exists, so of two starts at once one makes the key and the
        other takes it; and a crash never leaves half a key.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_name(f".{self._path.name}.{os.urandom(8).hex()}")
        try:
            self._write(draft, write_key(fresh) + "\n")
            with contextlib.suppress(FileExistsError):
                os.link(draft, self._path)
        except OSError as error:
            raise KeyUnusable(f"{self.where} cannot be made: {error.strerror}.") from None
        finally:
            draft.unlink(missing_ok=True)
        _sync_directory(self._path.parent)
        kept = self.load()
        if kept is None:
            raise KeyUnusable(f"{self.where} vanished while it was made.")
        return kept

    def _refuse_unprotected(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise KeyUnusable(f"{self.where} is no regular file.")
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077:
            raise KeyUnusable(
                f"{self.where} can be read or written by others (mode {mode:04o}). Run: chmod 600 {self._path}"
            )
        if status.st_uid not in (0, os.geteuid()):
            raise KeyUnusable(
                f"{self.where} belongs to another user (uid {status.st_uid}). Run: chown {os.geteuid()} {self._path}"
            )

    @staticmethod
    def _write(path: Path, text: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


class EnvironmentKeyProvider:
    """The key in ``NIGHTLATCH_KEY``, for platforms that hand secrets over that way."""

    where = "NIGHTLATCH_KEY"

    def __init__(self, text: str) -> None:
        self._text = text

    def load(self) -> bytes:
        """Parse the key."""
        return parse_key(self._text, self.where)

    def create(self, fresh: bytes) -> bytes:  # noqa: ARG002 (the environment cannot be written)
        """The key that was given is the key."""
        return self.load()


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
