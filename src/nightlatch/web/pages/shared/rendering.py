"""Templates, escaped everywhere, and the few filters that they use."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup, escape

from nightlatch.domain.brand import Brand, dark_accent, readable_accent
from nightlatch.domain.time import moment, rfc3339
from nightlatch.web.pages.shared.assets import AREAS, Assets

BRAND_CSS = "/static/brand.css"

_UTC = {"time": "{0:%H:%M} UTC", "day": "{0.day} {0:%B}", "datetime": "{0.day} {0:%b}, {0:%H:%M} UTC"}
_SVG_LABEL = re.compile(r'aria-label="[^"]*"')


class Renderer:
    """Renders pages by name, such as ``prompt/code.html``. Undefined values are errors."""

    def __init__(self, assets: Assets, brand: Brand, *, demo: bool) -> None:
        loaders = {area: PackageLoader("nightlatch.web.pages", f"{area}/templates") for area in AREAS}
        self._environment = Environment(
            loader=ChoiceLoader([PrefixLoader(loaders)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(brand=brand, static=assets.url, brand_css=BRAND_CSS, demo=demo)
        self._environment.filters.update(rfc3339=_seconds, utc=utc, groups=groups, svg=svg)

    def render(self, name: str, **values: Any) -> bytes:
        """The page as UTF-8."""
        return self._environment.get_template(name).render(**values).encode()


def utc(at: int, style: str) -> str:
    """An instant in words, for readers whose scripts do not run: style ``time``, ``day``, ``datetime``."""
    return _UTC[style].format(moment(at))


def groups(key: str) -> str:
    """A key in groups of four letters, as people read it out."""
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))


def svg(drawing: str, label: str) -> Markup:
    """One of our own drawings, inline, with words for those who do not see it."""
    # Our drawings hold digits and fixed words; the label is escaped.
    return Markup(_SVG_LABEL.sub(f'aria-label="{escape(label)}"', drawing, count=1))  # noqa: S704


def brand_css(brand: Brand) -> bytes:
    """The style sheet that carries an organisation's accent, readable in both schemes."""
    if brand.accent == Brand().accent:
        return b"/* The accent is our own. */\n"
    light, dark = readable_accent(brand.accent), dark_accent(brand.accent)
    return (
        f":root {{ --accent: {light}; --on-accent: #ffffff; }}\n"
        "@media (prefers-color-scheme: dark) {\n"
        f"  :root {{ --accent: {dark}; --on-accent: #0b1a2b; }}\n"
        "}\n"
    ).encode()


def _seconds(at: int) -> str:
    return rfc3339(at // 1_000_000 * 1_000_000)
