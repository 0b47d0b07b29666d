"""Logs: one JSON object a line (or plain lines on a terminal), without secrets (K3, G2)."""

from nightlatch.adapters.logs.redaction import redact
from nightlatch.adapters.logs.setup import configure_logging

__all__ = ["configure_logging", "redact"]
