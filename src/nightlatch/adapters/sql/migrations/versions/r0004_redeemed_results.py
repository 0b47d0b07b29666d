"""A hosted approval counts once its result was fetched.

Additive: nodes of the release before this one go on beside it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a column."""
    op.add_column("authentications", sa.Column("redeemed_at", sa.BigInteger(), nullable=True, autoincrement=False))
