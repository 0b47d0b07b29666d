"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_REWRITTEN: Any = {"postgresql_with": {"fillfactor": "70"}}


def upgrade() -> None:
    """Make every table."""
    _store()
    _people()
    _sign_ins()
    _doors()
    _catalog()
    _audit()
    op.execute("INSERT INTO generation (one, n) VALUES (1, 0)")
    if op.get_bind().dialect.name == "postgresql":
        # Months get partitions of their own beside it (partitions.py).
        op.execute("CREATE TABLE events_default PARTITION OF events DEFAULT")
        # Advisory and short-lived: not worth the write-ahead log, nor a replica.
        op.execute("ALTER TABLE ephemeral SET UNLOGGED")


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    # Compared by bytes in both databases.
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=nullable)


def _integer(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, autoincrement=False)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _truth(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _rowid(name: str, *options: Any, **more: Any) -> sa.Column[Any]:
    # SQLite gives numbers by itself to a key that is called INTEGER, and to no other.
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), *options, nullable=False, **more)


def _only(where: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(where), "sqlite_where": sa.text(where)}


def _store() -> None:
    op.create_table(
        "roots",
        _text("id"),
        _integer("version"),
        sa.PrimaryKeyConstraint("id", name="roots_id"),
        **_REWRITTEN,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "generation",
        sa.Column("one", sa.Integer(), nullable=False, autoincrement=False),
        _integer("n"),
        sa.PrimaryKeyConstraint("one", name="generation_one"),
        sa.CheckConstraint("one = 1", name="generation_is_one_row"),
    )
    op.create_table(
        "ephemeral",
        _text("key"),
        _bytes("value", nullable=True),
        _integer("number", nullable=True),
        _integer("expires_at"),
        sa.PrimaryKeyConstraint("key", name="ephemeral_key"),
    )
    op.create_index("ephemeral_by_expires_at", "ephemeral", ["expires_at"])


def _people() -> None:
    op.create_table(
        "users",
        _text("id"),
        _text("username"),
        _text("kind"),
        _text("display_name", nullable=True),
        _text("groups"),
        _text("emails"),
        _text("phones"),
        _text("locale", nullable=True),
        _text("owner", nullable=True),
        _integer("expires_at", nullable=True),
        _text("networks"),
        _text("status"),
        _integer("grace_started_at", nullable=True),
        _bytes("audit_key"),
        _integer("created_at"),
        _integer("updated_at"),
        sa.PrimaryKeyConstraint("id", name="users_id"),
        sa.UniqueConstraint("username", name="users_username"),
    )
    op.create_table(
        "factors",
        _text("id"),
        _text("user_id"),
        _text("kind"),
        _text("status"),
        _text("label", nullable=True),
        _text("public"),
        _bytes("sealed", nullable=True),
        _integer("created_at"),
        _integer("activated_at", nullable=True),
        _integer("expires_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="factors_id"),
    )
    op.create_index("factors_by_expires_at", "factors", ["expires_at"], **_only("expires_at IS NOT NULL"))
    op.create_index("factors_by_user_id", "factors", ["user_id"])
    op.create_table(
        "factor_state",
        _text("factor_id"),
        _text("user_id"),
        _integer("counter"),
        _integer("failures_known"),
        _integer("failures_other"),
        _integer("blocked_known_until"),
        _integer("blocked_other_until"),
        _truth("stopped"),
        _integer("last_used_at", nullable=True),
        sa.PrimaryKeyConstraint("factor_id", name="factor_state_factor_id"),
        **_REWRITTEN,
    )
    op.create_table(
        "devices",
        _text("id"),
        _text("user_id"),
        _text("application_id"),
        _bytes("token_hash"),
        _bytes("previous_hash", nullable=True),
        _integer("previous_until"),
        _integer("proved_at", nullable=True),
        _integer("remembered_at", nullable=True),
        _text("user_agent", nullable=True),
        _integer("created_at"),
        _integer("last_seen_at"),
        _integer("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="devices_id"),
        sa.UniqueConstraint("token_hash", name="devices_token_hash"),
    )
    op.create_index("devices_by_user_id", "devices", ["user_id"])
    op.create_index("devices_by_last_seen_at", "devices", ["last_seen_at"])
    op.create_index("devices_by_id", "devices", ["id"], **_only("proved_at IS NULL"))
    op.create_table(
        "seen_networks",
        _text("user_id"),
        _text("network"),
        _integer("last_at"),
        sa.PrimaryKeyConstraint("user_id", "network", name="seen_networks_user_id_network"),
    )


def _sign_ins() -> None:
    op.create_table(
        "authentications",
        _text("id"),
        _text("root"),
        _text("user_id"),
        _truth("user_known"),
        _text("application_id"),
        _text("action"),
        _text("action_details", nullable=True),
        _text("acr_requested", nullable=True),
        _text("acr_required"),
        _text("first_factor", nullable=True),
        _text("ip"),
        _text("user_agent", nullable=True),
        _bytes("device_hash", nullable=True),
        _truth("device_known"),
        _truth("remember_device"),
        _text("decision"),
        _text("reasons"),
        _text("allowed_kinds"),
        _truth("skippable"),
        _truth("fresh"),
        _integer("max_age", nullable=True),
        _integer("remember_for", nullable=True),
        _integer("grace_ends_at", nullable=True),
        _integer("policy_version"),
        _text("status"),
        _text("status_reason", nullable=True),
        _integer("wrong_answers"),
        _text("return_url", nullable=True),
        _text("state", nullable=True),
        _text("acr", nullable=True),
        _text("amr"),
        _text("factor_id", nullable=True),
        _text("jti", nullable=True),
        _integer("approved_at", nullable=True),
        _integer("approval_used_at", nullable=True),
        _integer("created_at"),
        _integer("expires_at"),
        sa.PrimaryKeyConstraint("id", name="authentications_id"),
    )
    op.create_index("authentications_by_id", "authentications", ["id"], **_only("NOT user_known"))
    op.create_index("authentications_by_root_created_at", "authentications", ["root", "created_at"])


def _doors() -> None:
    op.create_table(
        "challenges",
        _text("id"),
        _text("user_id"),
        _text("authentication_id"),
        _text("factor_id"),
        _text("kind"),
        _integer("created_at"),
        _integer("expires_at"),
        _integer("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="challenges_id"),
    )
    op.create_index("challenges_by_authentication_id", "challenges", ["authentication_id"])
    op.create_table(
        "tickets",
        _bytes("hash"),
        _text("kind"),
        _text("root"),
        _text("user_id"),
        _text("application_id", nullable=True),
        _text("authentication_id", nullable=True),
        _bytes("bound_hash", nullable=True),
        _text("data"),
        _integer("created_at"),
        _integer("expires_at"),
        _integer("used_at", nullable=True),
        sa.PrimaryKeyConstraint("hash", name="tickets_hash"),
    )
    op.create_index("tickets_by_expires_at", "tickets", ["expires_at"])
    op.create_table(
        "idempotent_answers",
        _text("id"),
        _bytes("body_hash"),
        _integer("status"),
        _bytes("sealed", nullable=True),
        _text("created_id", nullable=True),
        _integer("created_at"),
        _integer("expires_at"),
        sa.PrimaryKeyConstraint("id", name="idempotent_answers_id"),
    )
    op.create_index("idempotent_answers_by_expires_at", "idempotent_answers", ["expires_at"])


def _catalog() -> None:
    op.create_table(
        "applications",
        _text("id"),
        _text("name"),
        _text("return_urls"),
        _text("first_factor", nullable=True),
        _integer("created_at"),
        _integer("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="applications_id"),
    )
    op.create_table(
        "api_keys",
        _bytes("hash"),
        _text("application_id"),
        _text("scopes"),
        _integer("created_at"),
        _integer("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("hash", name="api_keys_hash"),
    )
    op.create_index("api_keys_by_application_id", "api_keys", ["application_id"])
    op.create_table(
        "policy_versions",
        _integer("version"),
        _text("text"),
        _text("actor"),
        _integer("created_at"),
        sa.PrimaryKeyConstraint("version", name="policy_versions_version"),
    )
    op.create_table(
        "data_keys",
        _text("id"),
        _bytes("wrapped"),
        _integer("created_at"),
        _integer("retired_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="data_keys_id"),
    )
    op.create_table(
        "signing_keys",
        _text("kid"),
        _bytes("sealed"),
        _text("public_jwk"),
        _integer("created_at"),
        _integer("retired_at", nullable=True),
        sa.PrimaryKeyConstraint("kid", name="signing_keys_kid"),
    )


def _audit() -> None:
    op.create_table(
        "events",
        _text("id"),
        _integer("at"),
        _text("type"),
        _text("actor"),
        _text("user_id", nullable=True),
        _text("application_id", nullable=True),
        _text("authentication_id", nullable=True),
        _text("factor_id", nullable=True),
        _text("factor_kind", nullable=True),
        _text("outcome"),
        _text("reason", nullable=True),
        _text("data"),
        _bytes("personal", nullable=True),
        _bytes("leaf"),
        sa.PrimaryKeyConstraint("at", "id", name="events_at_id"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("events_by_user_id_at", "events", ["user_id", "at"])
    op.create_table(
        "audit_queue",
        _rowid("n", sa.Identity(always=True)),
        _text("event_id"),
        _integer("at"),
        _bytes("leaf"),
        sa.PrimaryKeyConstraint("n", name="audit_queue_n"),
    )
    op.create_table(
        "audit_log",
        _rowid("seq", autoincrement=False),
        _text("event_id"),
        _integer("event_at"),
        _bytes("leaf"),
        sa.PrimaryKeyConstraint("seq", name="audit_log_seq"),
        sa.UniqueConstraint("event_id", name="audit_log_event_id"),
    )
