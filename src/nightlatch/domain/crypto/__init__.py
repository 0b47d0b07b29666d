"""What is sealed, authenticated and hashed. Nothing here makes entropy: keys and nonces are arguments."""
