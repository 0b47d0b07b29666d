"""The hosted prompt."""
