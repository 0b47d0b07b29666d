"""What the authenticator says when something is wrong."""

from __future__ import annotations

ERRORS = (
    ("code-form", "That isn't the whole code. It has 24 letters and digits."),
    ("code-dead", "That code is used up, or too old. Get a new picture where you sign in."),
    ("code-used", "That code was used on this phone already. Get a new picture where you sign in."),
    ("name", "Use up to 60 letters, digits and signs."),
    ("number-form", "The number has six digits."),
    ("pairing-wrong", "That wasn't the number, so this phone was not set up. Get a new picture where you sign in."),
    ("pairing-expired", "Time ran out, so this phone was not set up. Get a new picture where you sign in."),
    ("lock", "This phone did not recognise you. Try again, or choose Not now."),
    ("lock-number", "This phone did not recognise you, so nothing was sent. Try again."),
    ("unlock", "This phone did not recognise you. Try again, or answer No."),
    ("offline", "No connection. Try again in a moment."),
    ("busy", "Too many tries at once. Wait a moment and try again."),
    ("refused", "That didn't work. Nobody was let in. Start again where you sign in."),
)
"""Kind and sentence; the page carries them all, and its scripts choose."""
