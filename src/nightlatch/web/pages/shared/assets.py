"""Style sheets, scripts and pictures, served under the hash of them all.

One hash for the whole tree, because modules import each other by relative address: a page that
was loaded before an upgrade goes on with the files that belong to it, or with none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

AREAS = ("shared", "prompt", "portal", "authenticator", "mail", "demo", "docs")

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}
_HASH_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    body: bytes
    media_type: str


class Assets:
    """All files of all areas, read once."""

    def __init__(self, found: Mapping[str, Asset]) -> None:
        self._found = found
        digest = hashlib.sha256()
        for name in sorted(found):
            digest.update(name.encode() + b"\0" + found[name].body + b"\0")
        self.hash = digest.hexdigest()[:_HASH_LENGTH]

    @classmethod
    def packaged(cls) -> Assets:
        """The files that came with the package."""
        return cls(dict(_walk()))

    def url(self, name: str) -> str:
        """The address of a file such as ``prompt/prompt.css``. Raises ``KeyError``."""
        if name not in self._found:
            raise KeyError(name)
        return f"/static/{self.hash}/{name}"

    def get(self, name: str) -> Asset | None:
        """The file, or None."""
        return self._found.get(name)


def _walk() -> Iterator[tuple[str, Asset]]:
    for area in AREAS:
        folder = files("nightlatch.web.pages") / area / "static"
        for item in folder.iterdir() if folder.is_dir() else ():
            if asset := _read(item):
                yield f"{area}/{item.name}", asset


def _read(item: Traversable) -> Asset | None:
    media_type = _TYPES.get(item.name.rpartition(".")[2])
    return Asset(item.read_bytes(), media_type) if media_type and item.is_file() else None
