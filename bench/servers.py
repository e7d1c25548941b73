"""The servers under measurement, each a process of its own on the server's core: Clawscope and its two peers."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.cores import SERVER_CORE, pinned

HERE = Path(__file__).parent
PEER_CLIENT = "client_id=bench&client_secret=bench-secret-of-the-peer-only"
_START_S = 60.0
_STOP_S = 15.0
_CLAWSCOPE_SETTINGS = (
    "CLAWSCOPE_ISSUER_URL=https://clawscope.example",
    "CLAWSCOPE_ISSUER_INTROSPECT_ANONYMOUS_PER_S=0",
    "CLAWSCOPE_ISSUER_PROTECTED_AUTH_MODE=either",
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers on `port`; `headers` authenticate its operator where it has one."""

    name: str
    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request outside any measurement: status, headers in lower case, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()


def free_port() -> int:
    """A loopback port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def binary(name: str) -> str:
    """A command of this Python environment, else of the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or name


@contextmanager
def process(name: str, command: list[str], log: Path, *, ready_path: str, port: int) -> Iterator[None]:
    """Run a command on the server's core until it answers `ready_path`, and stop it at the end. Raises `SystemExit` when it does not."""
    with log.open("ab") as output:
        child = subprocess.Popen(pinned(SERVER_CORE, command), stdout=output, stderr=output, cwd=HERE.parent, start_new_session=True)
        try:
            _await(name, child, log, Server(name, port), ready_path)
            yield
        finally:
            _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Stop the whole process group: the `node` of this environment is a launcher whose child would outlive it."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(_STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _await(name: str, child: subprocess.Popen[bytes], log: Path, server: Server, path: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if server.ask("GET", path)[0] < 500:
                return
        except OSError:
            pass
        time.sleep(0.05)
    tail = log.read_text(errors="replace")[-2000:]
    raise SystemExit(f"{name} did not start; the end of {log}:\n{tail}")


@contextmanager
def clawscope(work: Path, store_url: str | None) -> Iterator[Server]:
    """Clawscope in dev mode on the data folder `work/data`, anonymous introspection unlimited; SQLite unless `store_url` is given."""
    port = free_port()
    data = work / "data"
    data.mkdir(exist_ok=True)
    settings = [*_CLAWSCOPE_SETTINGS, *([f"CLAWSCOPE_DB_URL={store_url}"] if store_url else [])]
    command = ["env", *settings, binary("clawscope"), "serve", "--dev", "--data", str(data), "--port", str(port)]
    with process("clawscope", command, work / "clawscope.log", ready_path="/ready", port=port):
        known = json.loads((data / "dev.json").read_text())
        yield Server("clawscope", port, {"Authorization": f"Bearer {known['operator_key']}"})


@contextmanager
def oidc_provider(work: Path) -> Iterator[Server]:
    """The npm package oidc-provider with its in-memory store; `npm ci` in its folder is run once when needed."""
    folder = HERE / "peers" / "oidc"
    if not (folder / "node_modules").is_dir():
        subprocess.run([binary("npm"), "ci"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    port = free_port()
    command = ["env", "NODE_ENV=production", binary("node"), str(folder / "server.mjs"), str(port)]
    with process("oidc-provider", command, work / "oidc.log", ready_path="/jwks", port=port):
        yield Server("oidc-provider", port)


def wsgi_server() -> str:
    """The server the Authlib peer runs in: gunicorn where installed, else waitress, else werkzeug's own."""
    return next((name for name in ("gunicorn", "waitress") if importlib.util.find_spec(name)), "werkzeug")


@contextmanager
def authlib(work: Path) -> Iterator[Server]:
    """Flask with Authlib's introspection endpoint; it writes the tokens it signed for the test to `work/authlib_tokens.txt`."""
    port = free_port()
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "bench.peers.authlib_server",
        str(port),
        str(work / "authlib_tokens.txt"),
        wsgi_server(),
    ]
    with process("authlib", command, work / "authlib.log", ready_path="/", port=port):
        yield Server("authlib", port)
