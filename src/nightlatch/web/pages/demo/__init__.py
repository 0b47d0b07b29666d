"""The demo: a bank, a phone, and the reasons. Only on loopback, only in the demo command (X6)."""
