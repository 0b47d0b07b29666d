"""Numbers of the advisory locks that all processes of one PostgreSQL database agree on."""

from __future__ import annotations

# "Nightlat" in ASCII, so that nobody else's lock has it by chance.
_BASE = 0x4E6967_68746C6174 & 0x7FFF_FFFF_FFFF_0000

MIGRATION_LOCK = _BASE + 1
SEQUENCER_LOCK = _BASE + 2
PARTITION_LOCK = _BASE + 3
