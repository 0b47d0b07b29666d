"""Ephemeral state and wake-ups of many nodes, in Valkey."""
