"""Alembic runs this for every command; ``migrate`` hands it the connection and holds the transaction."""

from __future__ import annotations

from alembic import context

from nightlatch.adapters.sql.tables import METADATA

# SQLite's definitions roll back with everything else, since we begin transactions ourselves.
context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
