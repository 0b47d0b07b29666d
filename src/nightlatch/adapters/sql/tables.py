"""The tables: one a record type, and those that only the store knows.

Every row of a record belongs to a root, whose version is raised by every change of any of its rows
(docs/adr/0003-aggregate-roots.md). No foreign keys: the compare-and-set on the root keeps rows together,
and a key check on a hot table would lock what others need.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from nightlatch.adapters.sql.mapping import BYTES, INTEGER, TEXT, Mapping
from nightlatch.domain import records as r

METADATA = MetaData()

_ROWID = INTEGER.with_variant(Integer(), "sqlite")

# Rows that every answer rewrites keep room on their page, so that PostgreSQL need not touch an index (HOT).
_REWRITTEN: Any = {"postgresql_with": {"fillfactor": "70"}}


# Challenges of one authentication that a load brings along, the newest: nobody has more of them open.
CHALLENGES_ALONG = 32


def quoted(name: str) -> str:
    """A name of ours that may also be a word of SQL."""
    return f'"{name}"'


class RecordTable:
    """A table that keeps one record type."""

    def __init__(self, name: str, record: type[r.Record], *key: str, **options: Any) -> None:
        self.mapping: Mapping[Any] = Mapping(record)
        self.name = name
        self.key = key
        self.key_positions = tuple(self.mapping.names.index(column) for column in key)
        primary = PrimaryKeyConstraint(*key, name=f"{name}_{'_'.join(key)}")
        self.table = Table(name, METADATA, *self.mapping.columns(), primary, **options)


def _unique(kept: RecordTable, *columns: str) -> RecordTable:
    kept.table.append_constraint(UniqueConstraint(*columns, name=f"{kept.name}_{'_'.join(columns)}"))
    return kept


def _index(kept: RecordTable, *columns: str, only: str | None = None) -> RecordTable:
    where: Any = {} if only is None else {"postgresql_where": text(only), "sqlite_where": text(only)}
    Index(f"{kept.name}_by_{'_'.join(columns)}", *(kept.table.c[name] for name in columns), **where)
    return kept


USERS = _unique(RecordTable("users", r.User, "id"), "username")
APPLICATIONS = RecordTable("applications", r.Application, "id")
API_KEYS = _index(RecordTable("api_keys", r.ApiKey, "hash"), "application_id")
FACTORS = _index(RecordTable("factors", r.Factor, "id"), "user_id")
_index(FACTORS, "expires_at", only="expires_at IS NOT NULL")
FACTOR_STATE = RecordTable("factor_state", r.FactorState, "factor_id", **_REWRITTEN)
AUTHENTICATIONS = _index(RecordTable("authentications", r.Authentication, "id"), "root", "created_at")
# Those of unknown names live a day, the others months: the sweep must find them without reading all.
_index(AUTHENTICATIONS, "id", only="NOT user_known")
CHALLENGES = _index(RecordTable("challenges", r.Challenge, "id"), "authentication_id")
DEVICES = _index(_unique(RecordTable("devices", r.Device, "id"), "token_hash"), "user_id")
# For the sweep: whoever sends no token back gets a new one with each approval.
_index(DEVICES, "last_seen_at")
_index(DEVICES, "id", only="proved_at IS NULL")
SEEN_NETWORKS = _index(RecordTable("seen_networks", r.SeenNetwork, "user_id", "network"), "last_at")
TICKETS = _index(_index(RecordTable("tickets", r.Ticket, "hash"), "expires_at"), "root")
POLICY_VERSIONS = RecordTable("policy_versions", r.PolicyVersion, "version")
DATA_KEYS = RecordTable("data_keys", r.DataKey, "id")
SIGNING_KEYS = RecordTable("signing_keys", r.SigningKey, "kid")
IDEMPOTENT_ANSWERS = _index(RecordTable("idempotent_answers", r.IdempotentAnswer, "id"), "expires_at")
OUTBOX = RecordTable("outbox", r.OutboxMessage, "id")
# What waits is little; what was sent is found by what the gateway called it.
_index(OUTBOX, "channel", "due_at", only="status = 'waiting'")
_index(OUTBOX, "gateway", "reference", only="reference IS NOT NULL")
SMS_SENDS = _index(_index(RecordTable("sms_sends", r.SmsSend, "id"), "at"), "user_id")
SMS_PAUSES = RecordTable("sms_pauses", r.SmsPause, "prefix")
# The key begins with the time, because PostgreSQL keeps each month in a partition of its own.
EVENTS = _index(RecordTable("events", r.Event, "at", "id", postgresql_partition_by="RANGE (at)"), "user_id", "at")

TABLES: Dictionary[type[r.Record], RecordTable] = {
    kept.mapping.record: kept
    for kept in (
        USERS,
        APPLICATIONS,
        API_KEYS,
        FACTORS,
        FACTOR_STATE,
        AUTHENTICATIONS,
        CHALLENGES,
        DEVICES,
        SEEN_NETWORKS,
        TICKETS,
        POLICY_VERSIONS,
        DATA_KEYS,
        SIGNING_KEYS,
        IDEMPOTENT_ANSWERS,
        OUTBOX,
        SMS_SENDS,
        SMS_PAUSES,
        EVENTS,
    )
}

ROOTS = Table(
    "roots",
    METADATA,
    Column("id", TEXT, nullable=False),
    Column("version", INTEGER, nullable=False),
    PrimaryKeyConstraint("id", name="roots_id"),
    sqlite_with_rowid=False,
    **_REWRITTEN,
)

# What was committed and has no place in the sequence yet. ``n`` only orders the events of one change.
AUDIT_QUEUE = Table(
    "audit_queue",
    METADATA,
    Column("n", _ROWID, Identity(always=True), nullable=False),
    Column("event_id", TEXT, nullable=False),
    Column("at", INTEGER, nullable=False),
    Column("leaf", BYTES, nullable=False),
    PrimaryKeyConstraint("n", name="audit_queue_n"),
)

AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    Column("seq", _ROWID, nullable=False, autoincrement=False),
    Column("event_id", TEXT, nullable=False),
    Column("event_at", INTEGER, nullable=False),
    Column("leaf", BYTES, nullable=False),
    PrimaryKeyConstraint("seq", name="audit_log_seq"),
    UniqueConstraint("event_id", name="audit_log_event_id"),
)

# One row, raised by every change of what processes cache.
GENERATION = Table(
    "generation",
    METADATA,
    Column("one", Integer(), nullable=False, autoincrement=False),
    Column("n", INTEGER, nullable=False),
    PrimaryKeyConstraint("one", name="generation_one"),
    CheckConstraint("one = 1", name="generation_is_one_row"),
)

# How much of a cap is used in a window, or reserved by a worker; all nodes share the rows.
BUDGETS = Table(
    "budgets",
    METADATA,
    Column("key", TEXT, nullable=False),
    Column("window_start", INTEGER, nullable=False, autoincrement=False),
    Column("used", INTEGER, nullable=False),
    Column("expires_at", INTEGER, nullable=False),
    PrimaryKeyConstraint("key", "window_start", name="budgets_key_window_start"),
)
Index("budgets_by_expires_at", BUDGETS.c.expires_at)

EPHEMERAL = Table(
    "ephemeral",
    METADATA,
    Column("key", TEXT, nullable=False),
    Column("value", BYTES),
    Column("number", INTEGER),
    Column("expires_at", INTEGER, nullable=False),
    PrimaryKeyConstraint("key", name="ephemeral_key"),
)
Index("ephemeral_by_expires_at", EPHEMERAL.c.expires_at)
