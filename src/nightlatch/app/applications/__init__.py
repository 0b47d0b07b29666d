"""Relying parties and their keys: create, list, revoke, rotate, and recognise by key."""
