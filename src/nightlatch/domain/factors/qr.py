"""QR pictures (ISO/IEC 18004) of short addresses, as SVG and PNG: dark on white, with the quiet zone of 4 modules."""

from __future__ import annotations

import base64
import struct
import zlib
from functools import cached_property

import segno

QUIET_ZONE = 4
"""Light modules around the symbol (ISO/IEC 18004 §5.3.8)."""

ERROR_LEVEL = "m"
"""15 % may be unreadable: enough for a screen; more would make the modules smaller."""

PNG_SCALE = 6
"""Pixels a module."""

# Choosing the best of eight masks is four fifths of the work of drawing. Every reader undoes any mask; over addresses
# like ours this one has the lowest penalty (ISO/IEC 18004 §7.8.3) on average, and the lowest worst one.
_MASK = 4
_DARK = "#000"
_WHITE = "#fff"
_LABEL = "QR code"


class Drawing:
    """One symbol, drawn as often as is wanted. Raises ``ValueError`` for a text that no symbol can hold."""

    def __init__(self, text: str) -> None:
        code = segno.make_qr(text, error=ERROR_LEVEL, mask=_MASK, encoding="utf-8", eci=False)
        self.rows: tuple[bytes, ...] = tuple(bytes(row) for row in code.matrix)
        """The modules, 1 for dark, without the quiet zone."""

    @property
    def size(self) -> int:
        """Modules a side, quiet zone included."""
        return len(self.rows) + 2 * QUIET_ZONE

    @cached_property
    def svg(self) -> str:
        """A self-contained ``<svg>``, safe inline: it holds digits and fixed words, nothing of the text.

        It scales to its box, has no ``id``, script, style or reference, and is one image to a screen reader.
        """
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.size} {self.size}" '
            f'width="{self.size * PNG_SCALE}" height="{self.size * PNG_SCALE}" '
            f'role="img" aria-label="{_LABEL}" shape-rendering="crispEdges">'
            f'<path fill="{_WHITE}" d="M0 0h{self.size}v{self.size}H0z"/>'
            f'<path stroke="{_DARK}" d="{self._path()}"/></svg>'
        )

    @cached_property
    def png(self) -> bytes:
        """A PNG (ISO/IEC 15948) of one bit a pixel, ``PNG_SCALE`` pixels a module."""
        side = self.size * PNG_SCALE
        width = (side + 7) // 8
        blank = b"\x00" + b"\xff" * width
        margin = bytes(QUIET_ZONE)
        lines = [blank * (QUIET_ZONE * PNG_SCALE)]
        for row in self.rows:
            # As text of the binary number that a line is: light is 1, and the padding to a whole byte is light.
            bits = (margin + row + margin).replace(b"\x00", b"1" * PNG_SCALE).replace(b"\x01", b"0" * PNG_SCALE)
            lines.append((b"\x00" + int(bits.ljust(width * 8, b"1"), 2).to_bytes(width, "big")) * PNG_SCALE)
        lines.append(lines[0])
        header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            _chunk(kind, data)
            for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines), 6)), (b"IEND", b""))
        )

    @property
    def png_data_url(self) -> str:
        """The PNG as a ``data:`` URL (RFC 2397)."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")

    def _path(self) -> str:
        """Horizontal strokes, one a run of dark modules."""
        strokes = []
        for y, row in enumerate(self.rows):
            strokes += _strokes(row, y)
        return "".join(strokes)


def svg(uri: str) -> str:
    """The picture of an address as SVG."""
    return Drawing(uri).svg


def png(uri: str) -> bytes:
    """The picture of an address as PNG."""
    return Drawing(uri).png


def png_data_url(uri: str) -> str:
    """The picture of an address as a ``data:`` URL of its PNG."""
    return Drawing(uri).png_data_url


def _strokes(row: bytes, y: int) -> list[str]:
    strokes = []
    start = row.find(1)
    while start >= 0:
        end = row.find(0, start)
        if end < 0:
            end = len(row)
        strokes.append(f"M{start + QUIET_ZONE} {y + QUIET_ZONE}.5h{end - start}")
        start = row.find(1, end)
    return strokes


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
