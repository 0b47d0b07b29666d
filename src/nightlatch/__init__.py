"""Nightlatch: the second lock. A self-hosted multi-factor authentication server and library."""

__version__ = "0.1.0.dev0"
