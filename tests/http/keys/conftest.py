"""Desks on fresh issuers, with managed keys or with the runbook's variables; all end with the module."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from clawscope.infra.config.loading import load
from clawscope.infra.db.migrate import migrate
from clawscope.infra.db.schema import job_leases
from clawscope.infra.db.sqlite import sqlite_engine
from clawscope.issuer.settings import IssuerSettings
from clawscope.kernel.clock import Clock, ManualClock
from clawscope.main.app import Application, Options
from clawscope.main.settings import SECTIONS
from tests.fakes.control_plane import ControlPlane
from tests.http.keys.desk import Desk, seed
from tests.http.serving import MakeServer, Served, settings_of

OpenDesk = Callable[..., Desk]
SCHEDULED = ("keys.moves", "keys.slo", "keys.lost_nodes", "keys.leaves", "issuer.audit_leaves")


@pytest.fixture(scope="session")
def held_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file to copy, whose job leases another process seems to hold: nothing happens by itself."""
    path = tmp_path_factory.mktemp("held") / "clawscope.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    engine = sqlite_engine(path)
    with engine.begin() as connection:
        held = [{"name": name, "holder": "another process", "expires_at": 2**40} for name in SCHEDULED]
        connection.execute(job_leases.insert(), held)
    engine.dispose()
    return path


@pytest.fixture(scope="module")
def open_desk(make_server: MakeServer, tmp_path_factory: pytest.TempPathFactory, held_store: Path) -> Iterator[OpenDesk]:
    """Opens a desk on a fresh issuer (or on `data`) with managed keys."""
    desks: list[Desk] = []

    def opened(issuer: dict[str, Any] | None = None, *, clock: Clock | None = None, data: Path | None = None, **around: Any) -> Desk:
        folder = data
        if folder is None:
            folder = tmp_path_factory.mktemp("desk")
            shutil.copy(held_store, folder / "clawscope.db")
        desks.append(Desk(make_server(issuer, clock=clock or ManualClock(), data=folder, **around)))
        return desks[-1]

    yield opened
    # All are told to end before the first is waited for.
    for desk in desks:
        desk.served._server.should_exit = True


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """A desk on a fresh issuer."""
    return open_desk()


class Deployment:
    """One store, deployed again and again with other variables; time is the deployment's."""

    def __init__(self, folder: Path, identity_url: str) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self._identity_url = identity_url
        self._served: Served | None = None

    def settings(self, environ: Mapping[str, str], more: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """What a start with these variables reads. Raises `ConfigProblems`."""
        values = settings_of(self.folder, {"identity_url": self._identity_url, **more})
        variables = {"SCOPE_STATEMENT_KEY": seed("statement")} | dict(environ)
        return load(SECTIONS, toml_text=None, environ=variables, dev_values=values), values

    def start(self, more: Mapping[str, Any] | None = None, **environ: str) -> Desk:
        """Stop what runs, start with these variables. Raises `ConfigProblems`."""
        self.stop()
        loaded, values = self.settings(environ, more or {})
        self._served = Served(Application(loaded, Options(dev=True), clock=self.clock), self.folder, values).start()
        return Desk(self._served)

    def reload(self, desk: Desk, more: Mapping[str, Any] | None = None, **environ: str) -> None:
        """What SIGHUP does once the variables have changed."""

        def reread() -> IssuerSettings:
            settings: IssuerSettings = self.settings(environ, more or {})[0].sections["issuer"]
            return settings

        application = desk.served.application
        # Signals reach the main thread only, so the handler's work is called for.
        application._reread = reread
        desk.within(application._reload)

    def stop(self) -> None:
        """Stop what runs."""
        if self._served is not None:
            self._served.stop()
            self._served = None


@pytest.fixture
def deployment(tmp_path: Path, held_store: Path, control_plane: ControlPlane) -> Iterator[Deployment]:
    """An empty store to deploy on."""
    shutil.copy(held_store, tmp_path / "clawscope.db")
    made = Deployment(tmp_path, control_plane.url)
    yield made
    made.stop()
