"""What a notification says. It is seen by whoever sees the phone, so it names who asks and no more."""

from __future__ import annotations

from dataclasses import dataclass

LOGIN = "login"


@dataclass(frozen=True, slots=True)
class Words:
    """``application`` is its name, or the organization's where no application asks."""

    application: str
    action: str

    @property
    def title(self) -> str:
        """One line."""
        return f"Sign in to {self.application}?" if self.action == LOGIN else f"{self.application} asks you to confirm"

    @property
    def body(self) -> str:
        """What to do; nothing can be approved from here."""
        return "Open to see where it comes from, and to say yes or no."
