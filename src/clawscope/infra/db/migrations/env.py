"""Alembic's entry: runs on the connection `migrate` hands over."""

from __future__ import annotations

from alembic import context

from clawscope.infra.db.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False, transactional_ddl=True)
context.run_migrations()
