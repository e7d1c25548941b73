"""A fresh dev server in a process of its own, for as long as a command needs it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clawscope.infra.config import environment
from clawscope.main.commands.connection import DevServer, read_dev_file
from clawscope.main.http_client import Server
from clawscope.main.output import Failure

_READY_S = 30.0
_STOP_S = 10.0
_POLL_S = 0.05
_PROGRAM = "import sys; from clawscope.main.cli import run; sys.exit(run())"


@contextmanager
def fresh_server(folder: Path) -> Iterator[DevServer]:
    """A server with new keys on a free port of this machine; stopped on leaving. Raises `Failure` if it does not get ready."""
    arguments = ["serve", "--dev", "--data", str(folder), "--host", "127.0.0.1", "--port", str(_free_port())]
    log = folder / "server.log"
    with log.open("wb") as written:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments of our own
            [sys.executable, "-c", _PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=written, stderr=written, env=_bare_environment()
        )
    try:
        yield _ready(process, folder, log)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(process: subprocess.Popen[bytes], folder: Path, log: Path) -> DevServer:
    deadline = time.monotonic() + _READY_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(Failure):
            found = read_dev_file(folder)
            Server(found.base_url, timeout_s=2).get("/ready")
            return found
        time.sleep(_POLL_S)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    raise Failure("The dev server did not get ready.", code="SERVER_NOT_READY", fix="\n  ".join(["It said:", *said]))


def _bare_environment() -> dict[str, str]:
    # A demonstration must not reach the store or the keys that this machine's settings name.
    return {name: value for name, value in environment.variables().items() if not name.startswith(("CLAWSCOPE_", "SCOPE_"))}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
