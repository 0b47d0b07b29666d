"""Mails as text and as HTML that mail programs show: inline styles, no pictures, nothing that is fetched."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from nightlatch.domain.brand import Brand, dark_accent, readable_accent
from nightlatch.domain.mail.letters import Letter, Subject, letter
from nightlatch.domain.mail.names import plain_name
from nightlatch.ports.mailing import Written

_PARAGRAPH = "\n\n"


class JinjaMailRenderer:
    """See ``ports.mailing.MailRenderer``."""

    def __init__(self, brand: Brand) -> None:
        self._brand = brand
        environment = Environment(
            loader=PackageLoader("nightlatch.adapters.letters"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._page = environment.get_template("mail.html")

    def render(self, about: Subject, *, locale: str | None) -> Written:
        """See the port."""
        said = letter(
            about,
            organization=self._brand.name,
            help_at=self._brand.help_phone or self._brand.help_url,
            locale=locale,
        )
        html = self._page.render(
            letter=said,
            org=plain_name(self._brand.name),
            accent=readable_accent(self._brand.accent),
            dark=dark_accent(self._brand.accent),
        )
        return Written(subject=said.subject, text=_text(said), html=html)


def _text(said: Letter) -> str:
    parts = [said.heading, *said.paragraphs]
    if said.button is not None and said.link is not None:
        parts.append(f"{said.button}:\n{said.link}")
    return _PARAGRAPH.join((*parts, said.ending)) + "\n"
