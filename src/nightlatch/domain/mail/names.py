"""Names as mails may show them. Whoever chose one must not write our mails with it."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 60

# Controls, surrogates, private and unassigned characters, line and paragraph separators; and all marks that turn the
# direction of a text or join it to the next one.
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Mail programs make a link of whatever looks like an address, also in plain text.
_LINKING = re.compile(r"[/\\@<>\[\]{}|^`]|://?|(?<=\w)[.:](?=\w)")


def plain_name(text: str) -> str:
    """A name on one line, without what ends a line, turns its direction, or reads like an address; may be empty."""
    kept = "".join(
        " " if unicodedata.category(char) in _DROPPED else char for char in unicodedata.normalize("NFC", text)
    )
    words = " ".join(_LINKING.sub(" ", kept).split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…"
