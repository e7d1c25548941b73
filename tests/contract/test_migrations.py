"""The one history of the schema gives exactly the tables the code knows, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select

import clawscope.main.app  # noqa: F401 - every slice hangs its tables on the metadata
from clawscope.infra.db.migrate import MigrationFailed, migrate
from clawscope.infra.db.open import open_database
from clawscope.infra.db.postgres import postgres_engine
from clawscope.infra.db.schema import metadata, sequences
from clawscope.infra.db.sqlite import sqlite_engine
from clawscope.infra.db.version import HEAD, standing_version
from tests.contract.conftest import SEQUENCES, new_postgres_database

Looked = Callable[[Connection], Any]


class Migrated:
    """A database brought up by `migrate` alone."""

    def __init__(self, url: str) -> None:
        self.url = url

    def migrate(self) -> None:
        """Bring it up (again)."""
        asyncio.run(migrate(self.url))

    def look(self, looked: Looked) -> Any:
        """Run a function on a plain connection."""
        if self.url.startswith("sqlite"):
            engine = sqlite_engine(Path(self.url.removeprefix("sqlite:///")))
            with engine.connect() as connection:
                found = looked(connection)
            engine.dispose()
            return found
        return asyncio.run(self._look(looked))

    async def _look(self, looked: Looked) -> Any:
        engine = postgres_engine(self.url)
        async with engine.connect() as connection:
            found = await connection.run_sync(looked)
        await engine.dispose()
        return found


@pytest.fixture(params=["sqlite", "postgres"])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Migrated:
    """A database of each kind after its first migration."""
    if request.param == "sqlite":
        made = Migrated(f"sqlite:///{tmp_path / 'deep' / 'clawscope.db'}")
    else:
        made = Migrated(new_postgres_database(request.getfixturevalue("postgres_url")))
    made.migrate()
    return made


def differences(connection: Connection) -> list[Any]:
    """What Alembic would change to make the schema that of the metadata."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return [change for change in compare_metadata(context, metadata) if not _is_alembics(change)]


def _is_alembics(change: Any) -> bool:
    return isinstance(change, tuple) and change[0] == "remove_table" and change[1].name == "alembic_version"


def columns(connection: Connection) -> dict[str, list[tuple[str, str, bool]]]:
    """Every column of every table: name, type, whether it may be NULL; and what autogenerate does not compare, the primary key."""
    seen = inspect(connection)
    return {
        name: [
            *((one["name"], str(one["type"]), bool(one["nullable"])) for one in seen.get_columns(name)),
            ("primary key", *_key(seen, name)),
        ]
        for name in sorted(seen.get_table_names())
    }


def _key(seen: Any, name: str) -> tuple[str, bool]:
    return ",".join(seen.get_pk_constraint(name)["constrained_columns"]), False


def test_the_history_gives_exactly_the_tables_the_code_knows(migrated: Migrated) -> None:
    assert migrated.look(differences) == []
    shown = migrated.look(columns)
    assert set(shown) == {*metadata.tables, "alembic_version"}
    for name, table in metadata.tables.items():
        expected = (",".join(column.name for column in table.primary_key.columns), False)
        assert shown[name][-1][1:] == expected, name


def test_sequences_stand_at_their_beginning(migrated: Migrated) -> None:
    rows = migrated.look(lambda connection: connection.execute(select(sequences.c.name, sequences.c.value)).all())
    found = {row[0]: row[1] for row in rows}
    assert set(SEQUENCES) <= set(found)
    assert set(found.values()) == {0}


def test_migrating_again_is_harmless(migrated: Migrated) -> None:
    async def write() -> None:
        database = open_database(migrated.url)
        try:
            await database.transact(lambda tx: tx.next("revocations"))
        finally:
            await database.close()

    async def standing() -> Any:
        database = open_database(migrated.url)
        try:
            return await standing_version(database), await database.read(lambda tx: tx.head("revocations"))
        finally:
            await database.close()

    asyncio.run(write())
    before = migrated.look(columns)
    migrated.migrate()
    assert migrated.look(columns) == before
    assert asyncio.run(standing()) == (HEAD, 1)


def test_many_processes_may_migrate_at_once(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    async def together(url: str) -> None:
        await asyncio.gather(*(migrate(url) for _ in range(4)))

    server = request.getfixturevalue("postgres_url")
    for url in (f"sqlite:///{tmp_path / 'clawscope.db'}", new_postgres_database(server)):
        asyncio.run(together(url))
        assert Migrated(url).look(differences) == []


def test_an_empty_database_stands_at_nothing(tmp_path: Path) -> None:
    async def standing() -> Any:
        database = open_database(f"sqlite:///{tmp_path / 'empty.db'}")
        try:
            return await standing_version(database)
        finally:
            await database.close()

    assert asyncio.run(standing()) is None


def test_a_database_that_does_not_answer_is_said_so_without_its_address(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MigrationFailed) as caught:
        asyncio.run(migrate(f"sqlite:///{tmp_path / 'file' / 'clawscope.db'}"))
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(MigrationFailed) as caught:
        asyncio.run(migrate("postgresql://user:secret-password@127.0.0.1:1/nothing"))
    assert "secret-password" not in str(caught.value)
