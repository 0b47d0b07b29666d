"""How messages leave: one file a gateway."""
