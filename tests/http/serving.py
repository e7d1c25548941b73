"""Real servers in threads: built as production builds them, with any settings, clock and neighbours."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from clawscope.infra.config.loading import load
from clawscope.infra.db.migrate import migrate
from clawscope.kernel.clock import Clock
from clawscope.kernel.secret import Secret
from clawscope.main.app import Application, Options
from clawscope.main.introductions import issuer_neighbours
from clawscope.main.settings import SECTIONS
from clawscope.protocol import b64u, jws
from clawscope.protocol.keys import SigningKey
from tests.http.client import Client

ISSUER = "https://clawscope.example"
OPERATOR_KEY = "op_0123456789abcdefghijklmnopqrstuvwxyz"
_START_S = 20
_DEV = Options(dev=True)
MakeServer = Callable[..., "Served"]


class Served:
    """A running server; `operator` and `anyone` are clients with and without its operator key."""

    def __init__(self, application: Application, data: Path, settings: dict[str, Any]) -> None:
        self.application = application
        self.clock: Any = application.clock
        self.data = data
        self.settings = settings
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(listening.getsockname()[1])
        config = uvicorn.Config(
            application.asgi(), loop="asyncio", http="httptools", log_config=None, access_log=False, lifespan="on", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, args=(listening,), daemon=True)

    def start(self) -> Served:
        """Return once requests are served."""
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        return self

    def _run(self, listening: socket.socket) -> None:
        with suppress(SystemExit):  # how uvicorn says that the application would not start
            self._server.run(sockets=[listening])
        listening.close()

    def stop(self) -> None:
        """End it as a signal would."""
        self._server.should_exit = True
        self._thread.join(20)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def anyone(self) -> Client:
        """A client without credentials."""
        return Client(self.port)

    @property
    def operator(self) -> Client:
        """A client with the operator key."""
        return self.bearing(OPERATOR_KEY)

    def bearing(self, credential: str) -> Client:
        """A client with a Bearer credential."""
        return self.anyone.with_headers(Authorization=f"Bearer {credential}")

    def cst(self, token: str) -> Client:
        """A client with a CST in `X-CST`."""
        return self.anyone.with_headers(X_CST=token)

    @property
    def signer(self) -> tuple[str, SigningKey]:
        """The token key in use, to sign what the issuer would not."""
        return self.application.issuer.view.keyring.signer("token")

    @property
    def statement_keys(self) -> dict[str, bytes]:
        """Public statement keys by kid."""
        return {record.kid: record.public for record in self.application.issuer.view.keyring.of("statement")}

    def sign(self, payload: bytes, header: bytes | None = None) -> str:
        """A token with any payload (and header), truly signed by the issuer's key."""
        kid, key = self.signer
        if header is None:
            return jws.compact(payload, kid, key)
        text = f"{b64u.encode(header)}.{b64u.encode(payload)}"
        return f"{text}.{b64u.encode(key.sign(text.encode()))}"


def settings_of(data: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted name: those every test server has, then those `given` for the issuer; `None` takes one out."""
    values: dict[str, Any] = {
        "db.url": Secret(f"sqlite:///{data / 'clawscope.db'}"),
        "issuer.url": ISSUER,
        "issuer.operator_keys": {"dev": Secret(OPERATOR_KEY)},
        "issuer.protected_auth_mode": "either",
        "issuer.keys.master_key": Secret(b64u.encode(b"m" * 32)),
        "telemetry.log_level": "error",
    }
    for name, value in given.items():
        if value is None:
            values.pop(f"issuer.{name}", None)
        else:
            values[f"issuer.{name}"] = value
    return values


@contextmanager
def server_maker(folders: pytest.TempPathFactory, identity_url: str) -> Iterator[MakeServer]:
    """Makes servers on copies of one migrated store, and stops them all at the end."""
    running: list[Served] = []
    template = _template(folders)

    def make(
        issuer: dict[str, Any] | None = None,
        *,
        clock: Clock | None = None,
        data: Path | None = None,
        options: Options = _DEV,
        **neighbours: Any,
    ) -> Served:
        folder = data
        if folder is None:
            folder = folders.mktemp("server")
            shutil.copy(template, folder / "clawscope.db")
        values = settings_of(folder, {"identity_url": identity_url} | (issuer or {}))
        loaded = load(SECTIONS, toml_text=None, environ={}, dev_values=values)
        around = dataclasses.replace(issuer_neighbours(loaded.sections["issuer"]), **neighbours)
        served = Served(Application(loaded, options, clock=clock, neighbours=around), folder, values).start()
        running.append(served)
        return served

    yield make
    for served in running:
        served.stop()


def _template(folders: pytest.TempPathFactory) -> Path:
    path = folders.getbasetemp() / "template.db"
    if not path.exists():
        asyncio.run(migrate(f"sqlite:///{path}"))
    return path
