"""Who signs in: create, find, change, delete."""
