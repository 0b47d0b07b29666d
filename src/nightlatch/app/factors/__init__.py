"""Ways to sign in: enroll, activate, find, rename, remove."""
