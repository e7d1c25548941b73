"""Bringing the schema to the version this code needs, through Alembic's one history for both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from clawscope.infra.db.open import sqlite_path
from clawscope.infra.db.sqlite import sqlite_engine
from clawscope.infra.db.version import HEAD, VERSION


class MigrationFailed(RuntimeError):
    """The schema could not be brought up; the text names the kind of fault, never the address."""


async def migrate(url: str) -> None:
    """Upgrade the database behind `url` to the newest schema; does nothing when it stands already. Raises `MigrationFailed`."""
    try:
        await _migrate(url)
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise MigrationFailed(f"{type(error).__name__}: check db.url and that the database answers") from error


async def _migrate(url: str) -> None:
    path = sqlite_path(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(_migrate_sqlite, path)
        return
    from clawscope.infra.db.postgres import postgres_engine  # noqa: PLC0415 - a start on SQLite does not pay for asyncpg

    engine = postgres_engine(url)
    async with engine.begin() as connection:
        # One process migrates, the others wait and find nothing to do.
        await connection.execute(text("SELECT pg_advisory_xact_lock(7203114)"))
        await connection.run_sync(upgrade)
    await engine.dispose()


def upgrade(connection: Connection) -> None:
    """Run the missing migrations on an open connection, inside its transaction."""
    from alembic import command  # noqa: PLC0415 - a start on a standing schema does not pay for Alembic
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def _migrate_sqlite(path: Path) -> None:
    engine = sqlite_engine(path)
    with engine.begin() as connection:
        if not _stands(connection):
            upgrade(connection)
    engine.dispose()


def _stands(connection: Connection) -> bool:
    try:
        return connection.execute(VERSION).scalar() == HEAD
    except SQLAlchemyError:
        return False
