"""The tables that belong to no slice, and the one MetaData all tables hang on."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, Text

metadata = MetaData()

# Numbers that must rise in commit order; a row is locked from its first use in a transaction to the commit.
sequences = Table(
    "sequences",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", String(64), nullable=False),
    Column("name", String(96), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
)

outbox_cursors = Table(
    "outbox_cursors",
    metadata,
    Column("handler", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

job_leases = Table(
    "job_leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("caller", String(256), primary_key=True),
    Column("route", String(128), primary_key=True),
    Column("key", String(256), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("status", BigInteger, nullable=False),
    Column("answer", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("idempotency_expires", "expires_at"),
)
