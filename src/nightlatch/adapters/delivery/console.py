"""A gateway that writes texts to the terminal of whoever develops. It shows codes, so it is for loopback alone."""

from __future__ import annotations

import sys

from nightlatch.ports.delivery import Accepted, Text


class ConsoleGateway:
    """See ``ports.delivery.SmsGateway``. Writes to standard error, beside the log and never into it (K3)."""

    def __init__(self, name: str = "console") -> None:
        self.name = name

    async def send(self, text: Text) -> Accepted:
        """Write it, without characters that would move the cursor."""
        shown = "".join(char if char.isprintable() else " " for char in text.text)
        sys.stderr.write(f"[text to {text.to}] {shown}\n")
        sys.stderr.flush()
        return Accepted()

    async def healthy(self) -> bool:
        """Always."""
        return True

    async def close(self) -> None:
        """Nothing is open."""
