"""Which schema this code needs, and which one stands."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, column, select, table
from sqlalchemy.exc import DBAPIError

from clawscope.infra.db.database import Database
from clawscope.kernel.errors import Refusal

HEAD = "0002"

VERSION: Select[Any] = select(column("version_num")).select_from(table("alembic_version"))


async def standing_version(database: Database) -> str | None:
    """The version the database stands at; `None` before the first migration."""
    try:
        row = await database.read(lambda tx: tx.first(VERSION))
    except (Refusal, DBAPIError):
        return None
    return None if row is None else str(row[0])
