"""A bar chart as SVG, readable in light and dark, with its figures as text."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

_ROW, _LABEL, _BAR, _FIGURES, _TOP = 34, 120, 360, 110, 56
_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#16202B}.soft{fill:#4A5663}.all{fill:#D8D3C7}.part{fill:#1D4E89}"
    "@media(prefers-color-scheme:dark){text{fill:#F1EEE6}.soft{fill:#AEB8C2}.all{fill:#2C3947}.part{fill:#8DB8F2}}"
)


def bars(title: str, rows: Sequence[tuple[str, int, int]]) -> str:
    """One bar a row: a name, how many in all, and how many of them."""
    longest = max((whole for _, whole, _ in rows), default=0) or 1
    width, height = _LABEL + _BAR + _FIGURES, _TOP + _ROW * max(1, len(rows)) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<text x="8" y="28" font-weight="600">{escape(title)}</text>',
    ]
    for number, (name, whole, part) in enumerate(rows):
        y = _TOP + number * _ROW
        parts += [
            f'<text x="8" y="{y + 16}">{escape(name)}</text>',
            f'<rect class="all" x="{_LABEL}" y="{y}" width="{_BAR * whole / longest:.1f}" height="22" rx="4"/>',
            f'<rect class="part" x="{_LABEL}" y="{y}" width="{_BAR * part / longest:.1f}" height="22" rx="4"/>',
            f'<text class="soft" x="{_LABEL + _BAR + 12}" y="{y + 16}">{part} of {whole}</text>',
        ]
    if not rows:
        parts.append(f'<text class="soft" x="8" y="{_TOP + 16}">Nothing in this time.</text>')
    return "".join([*parts, "</svg>\n"])
