"""How an organisation looks on our pages, and whether people can read it (WCAG 2.2 §1.4.3)."""

from __future__ import annotations

import colorsys
import re

import msgspec

MINIMUM_CONTRAST = 4.5

# The surfaces of design tokens `bg`, `surface`, `sunken`: text in the accent stands on each.
LIGHT_SURFACES = ("#F7F5F0", "#FFFFFF", "#EEEBE3")
DARK_SURFACES = ("#0F161E", "#18222D", "#0A1016")

_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_STEPS = 400


class Brand(msgspec.Struct, frozen=True, kw_only=True):
    """Name, logo (an https or data: URL, or a path of ours), accent, and where help is."""

    name: str = "Nightlatch"
    logo: str | None = None
    accent: str = "#1D4E89"
    help_url: str | None = None
    help_phone: str | None = None


def is_color(text: str) -> bool:
    """Whether the text is ``#RRGGBB``."""
    return _COLOR.fullmatch(text) is not None


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two ``#RRGGBB`` colors, 1 to 21 (WCAG 2.2, *contrast ratio*)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def lowest_contrast(color: str, surfaces: tuple[str, ...] = LIGHT_SURFACES) -> float:
    """The contrast on the surface where this color reads worst."""
    return min(contrast(color, surface) for surface in surfaces)


def readable_accent(accent: str) -> str:
    """The nearest accent of the same hue that reads on all light surfaces; itself if it does."""
    return _nearest(accent, LIGHT_SURFACES, toward=0.0)


def dark_accent(accent: str) -> str:
    """The accent of the same hue that reads on all dark surfaces, for the dark scheme."""
    return _nearest(accent, DARK_SURFACES, toward=1.0)


def _nearest(color: str, surfaces: tuple[str, ...], *, toward: float) -> str:
    if lowest_contrast(color, surfaces) >= MINIMUM_CONTRAST:
        return color
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(color))
    for step in range(1, _STEPS + 1):
        moved = lightness + (toward - lightness) * step / _STEPS
        candidate = _written(colorsys.hls_to_rgb(hue, moved, saturation))
        if lowest_contrast(candidate, surfaces) >= MINIMUM_CONTRAST:
            return candidate
    raise ValueError(f"{color} is not a color")


def _luminance(color: str) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in _channels(color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(color: str) -> tuple[float, float, float]:
    if not is_color(color):
        raise ValueError(f"{color!r} is not a color; write #RRGGBB")
    red, green, blue = bytes.fromhex(color[1:])
    return red / 255, green / 255, blue / 255


def _written(channels: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(value * 255):02X}" for value in channels)
