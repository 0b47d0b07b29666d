"""Texts: where they go, what they cost, and when to stop."""
