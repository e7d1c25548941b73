"""Opening the configured database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clawscope.infra.db.database import Database
from clawscope.infra.db.sqlite import SqliteDatabase

SQLITE_PREFIX = "sqlite:///"


def sqlite_path(url: str) -> Path | None:
    """The file of a `sqlite:///` URL, else `None`."""
    return Path(url.removeprefix(SQLITE_PREFIX)) if url.startswith(SQLITE_PREFIX) else None


def open_database(url: str, *, observe_batch: Callable[[int, float], None] = lambda size, seconds: None) -> Database:
    """The database behind `sqlite:///FILE` or `postgresql://…`. The schema must stand already (`migrate`)."""
    path = sqlite_path(url)
    if path is not None:
        return SqliteDatabase(path, observe_batch=observe_batch)
    from clawscope.infra.db.postgres import PostgresDatabase  # noqa: PLC0415 - a start on SQLite does not pay for asyncpg

    return PostgresDatabase(url, observe_batch=observe_batch)
