"""Ephemeral state and wake-ups of one process."""
