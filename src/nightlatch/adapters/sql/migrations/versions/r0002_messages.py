"""Messages: challenges with codes, the outbox, texts and their budgets.

Additive: nodes of the release before this one go on beside it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns with defaults, and new tables."""
    for column in (
        _bytes("mac", nullable=True),
        _integer("sends", server_default="0"),
        _integer("wrong_answers", server_default="0"),
        _integer("resend_after", nullable=True),
        _text("data", server_default="{}"),
        _bytes("sealed", nullable=True),
        _text("status", nullable=True),
    ):
        op.add_column("challenges", column)
    _outbox()
    _texts()


def _text(name: str, *, nullable: bool = False, **more: Any) -> sa.Column[Any]:
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, kind, nullable=nullable, **more)


def _integer(name: str, *, nullable: bool = False, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, autoincrement=False, **more)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _only(where: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(where), "sqlite_where": sa.text(where)}


def _outbox() -> None:
    op.create_table(
        "outbox",
        _text("id"),
        _text("root"),
        _text("user_id"),
        _text("channel"),
        _text("about", nullable=True),
        _text("route"),
        _bytes("sealed", nullable=True),
        _text("status"),
        _integer("attempts"),
        _integer("due_at"),
        _text("lease", nullable=True),
        _integer("leased_until"),
        _text("gateway", nullable=True),
        _text("reference", nullable=True),
        _text("error", nullable=True),
        _integer("created_at"),
        _integer("expires_at"),
        _integer("done_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="outbox_id"),
    )
    op.create_index("outbox_by_channel_due_at", "outbox", ["channel", "due_at"], **_only("status = 'waiting'"))
    op.create_index("outbox_by_gateway_reference", "outbox", ["gateway", "reference"], **_only("reference IS NOT NULL"))


def _texts() -> None:
    op.create_table(
        "sms_sends",
        _text("id"),
        _text("user_id"),
        _text("application_id", nullable=True),
        _text("challenge_id"),
        _bytes("number_hash"),
        _text("prefix"),
        _text("country"),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        _integer("at"),
        _integer("verified_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="sms_sends_id"),
    )
    op.create_index("sms_sends_by_at", "sms_sends", ["at"])
    op.create_index("sms_sends_by_user_id", "sms_sends", ["user_id"])
    op.create_table(
        "sms_pauses",
        _text("prefix"),
        _text("reason"),
        _integer("paused_at"),
        _integer("until"),
        sa.PrimaryKeyConstraint("prefix", name="sms_pauses_prefix"),
    )
    op.create_table(
        "budgets",
        _text("key"),
        _integer("window_start"),
        _integer("used"),
        _integer("expires_at"),
        sa.PrimaryKeyConstraint("key", "window_start", name="budgets_key_window_start"),
    )
    op.create_index("budgets_by_expires_at", "budgets", ["expires_at"])
