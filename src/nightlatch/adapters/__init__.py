"""How the outside is reached."""
