"""Networks that nobody came from for long are swept.

Additive: nodes of the release before this one go on beside it.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add an index."""
    op.create_index("seen_networks_by_last_at", "seen_networks", ["last_at"])
