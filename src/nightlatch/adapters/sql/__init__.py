"""SQLite and PostgreSQL behind the same ports."""
