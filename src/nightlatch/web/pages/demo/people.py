"""The sample people of the demo. Their secrets are known to everybody, and so is everything else about them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

BANK = "Meridian Bank"
HOME = "127.0.0.1"
"""Where the demo's own browser is; the sample people's past was elsewhere."""


@dataclass(frozen=True, slots=True)
class Person:
    """``story`` is what the demo says; ``since`` is how many days ago the account was made; ``texts``: they sign in by
    texts alone. Numbers are of those that Germany keeps for films.
    """

    username: str
    name: str
    story: str = ""
    since: int = 31
    app: bool = False
    service: bool = False
    texts: bool = False
    number: str = "+491713920099"

    @property
    def initials(self) -> str:
        """For the picture."""
        return "".join(part[0] for part in self.name.split()[:2])

    @property
    def secret(self) -> str:
        """The Base32 secret of the app that this person set up in the past."""
        digest = hashlib.sha256(f"nightlatch demo: {self.username}".encode()).digest()
        return base64.b32encode(digest[:20]).decode()


MAYA = Person("maya", "Maya Lindqvist", "New here. Nothing is set up yet.", since=0, number="+491713920002")
AMARA = Person(
    "amara", "Amara Okafor", "Has an app, and signs in from a new browser.", app=True, number="+491713920003"
)
NOOR = Person(
    "noor", "Noor Haddad", "Gets her codes by text, and nothing else.", since=10, texts=True, number="+491713920001"
)
JONAS = Person("jonas", "Jonas Weber", "Put it off for thirty days. They are over.", since=33, number="+491713920004")
PAYROLL = Person("payroll-nightly", "Payroll, nightly", "A service account. It holds no phone.", service=True)

ON_STAGE = (MAYA, AMARA, NOOR, JONAS, PAYROLL)
"""Those who can sign in to the demo's bank."""

BEHIND = (
    Person("priya", "Priya Raman", app=True),
    Person("tomas", "Tomás Ferreira", app=True),
    Person("lena", "Lena Sørensen", app=True, since=24),
    Person("kenji", "Kenji Watanabe", app=True, since=18),
)
"""Those who only have a past."""

NOBODY = Person("mayo", "Somebody else", "No account of that name. See what they learn.")

EVERYBODY = (*ON_STAGE, *BEHIND)


def person_of(username: str) -> Person | None:
    """Somebody who can try to sign in here."""
    return next((person for person in (*ON_STAGE, NOBODY) if person.username == username), None)
