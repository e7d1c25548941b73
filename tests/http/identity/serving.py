"""A real server of identity alone, on a store of its own, with a clock a test moves and cut-offs it can read."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from clawscope.identity.adapters.tables import SEQUENCES
from clawscope.identity.settings import IdentitySettings
from clawscope.identity.wiring import Base, Identity, Neighbours
from clawscope.infra.db.open import open_database
from clawscope.infra.db.schema import metadata, sequences
from clawscope.infra.db.sqlite import sqlite_engine
from clawscope.infra.http.application import application
from clawscope.infra.http.call import Call
from clawscope.infra.http.dispatch import Surroundings
from clawscope.infra.http.idempotency import Idempotency
from clawscope.infra.http.needs import Needs
from clawscope.infra.telemetry.metrics import Metrics
from clawscope.kernel.clock import ManualClock
from clawscope.kernel.codes import FORBIDDEN, UNAUTHORIZED
from clawscope.kernel.principal import Principal, operator
from tests.http.client import Client

SERVICE = "did:web:id.example"
OPERATOR_KEY = "op_0123456789abcdefghijklmnopqrstuvwxyz"
START = 1_800_000_000
MakeIdentity = Callable[..., "ServedIdentity"]
_START_S = 20


@dataclass
class RecordedCutOffs:
    """`CutOffs` that remembers what committed: it asks the transaction to tell it afterwards."""

    made: list[tuple[str, str]] = field(default_factory=list)

    def cut_off(self, transaction: Any, dimension: str, value: str, reason: str) -> None:
        """See `CutOffs.cut_off`."""
        transaction.after_commit(lambda: self.made.append((dimension, value)))


class ServedIdentity:
    """A running server of identity."""

    def __init__(self, data: Path, settings: IdentitySettings, neighbours: dict[str, Any]) -> None:
        self.clock = ManualClock(START)
        self.cut_offs = RecordedCutOffs()
        self.url = f"sqlite:///{data / 'identity.db'}"
        create_schema(data / "identity.db")
        self.database = open_database(self.url)
        base = Base(self.database, self.clock)
        self.identity = Identity(settings, base, Neighbours(**{"cut_offs": self.cut_offs, **neighbours}))
        around = Surroundings(_gate, Idempotency(self.database, self.clock, 86400), None, Metrics(), self.clock, "https://id.example")
        app = application(self.identity.endpoints(), around, self.identity.start, self._stop)
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(listening.getsockname()[1])
        self._server = uvicorn.Server(uvicorn.Config(app, loop="asyncio", log_config=None, access_log=False, lifespan="on", ws="none"))
        self._thread = threading.Thread(target=lambda: self._server.run(sockets=[listening]), daemon=True)

    def start(self) -> ServedIdentity:
        """Return once requests are served."""
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """End it as a signal would."""
        self._server.should_exit = True
        self._thread.join(20)

    @property
    def client(self) -> Client:
        """A client without credentials."""
        return Client(self.port)

    @property
    def auditor(self) -> Client:
        """A client with the operator key."""
        return self.client.with_headers(Authorization=f"Bearer {OPERATOR_KEY}")

    async def _stop(self) -> None:
        await self.identity.stop()
        await self.database.close()


def create_schema(path: Path) -> None:
    """All tables, and the sequences at 0, as the migrations leave them."""
    engine = sqlite_engine(path)
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(sequences.insert(), [{"name": name, "value": 0} for name in ("writer", "outbox", *SEQUENCES)])
    engine.dispose()


@contextmanager
def identity_maker(make_folder: Callable[[], Path]) -> Iterator[MakeIdentity]:
    """Makes servers and stops them all at the end; `neighbours` replace the usual ones."""
    running: list[ServedIdentity] = []

    def make(neighbours: dict[str, Any] | None = None, **settings: Any) -> ServedIdentity:
        chosen = IdentitySettings(**{"service_did": SERVICE, "challenges_per_minute_per_ip": 0, "reads_per_minute_per_ip": 0, **settings})
        served = ServedIdentity(make_folder(), chosen, neighbours or {}).start()
        running.append(served)
        return served

    yield make
    for served in running:
        served.stop()


async def _gate(needs: Needs, call: Call) -> Principal:
    sent = call.header("Authorization")
    if sent is None:
        raise UNAUTHORIZED("none")
    if sent != f"Bearer {OPERATOR_KEY}":
        raise FORBIDDEN("another")
    return operator("dev")
