"""The operator's policy: read, check, apply."""
