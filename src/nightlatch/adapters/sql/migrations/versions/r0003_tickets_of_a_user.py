"""Tickets are found by their root: they go with their user.

Additive: nodes of the release before this one go on beside it.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add an index."""
    op.create_index("tickets_by_root", "tickets", ["root"])
