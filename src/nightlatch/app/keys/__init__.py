"""Keys: made once for an empty database, rotated while everything goes on."""
