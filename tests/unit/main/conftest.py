"""A small loopback server that answers what a test lays out, and an issuer's documents made with the real protocol code."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer import Typer

from clawscope.kernel.clock import SystemClock
from clawscope.main.commands import add_commands
from clawscope.main.output import run
from clawscope.protocol import revocation_snapshot
from clawscope.protocol.claims import Claims
from clawscope.protocol.jwk import public_jwk, thumbprint
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.revocation import Record
from clawscope.protocol.scope import scope_hash
from clawscope.protocol.token import Minted, mint

ISSUER = "https://issuer.example"
OPERATOR_KEY = "operator-key-for-tests-0123456789"


@dataclass(frozen=True)
class Request:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Laid:
    """What the server answers, by `METHOD /path` without the query; and what it was asked."""

    base_url: str
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def answer(self, route: str, body: Any, status: int = 200) -> None:
        """Lay out an answer: bytes as they are, anything else as JSON."""
        self.answers[route] = (status, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.fixture
def server() -> Iterator[Laid]:
    """A server on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            laid.asked.append(Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            missing = (404, json.dumps({"error": "NOT_FOUND", "message": "There is nothing at this address."}).encode())
            status, raw = laid.answers.get(f"{self.command} {self.path.partition('?')[0]}", missing)
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            if 300 <= status < 400:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _serve  # noqa: N815 - the names http.server looks for

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    laid = Laid(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield laid
    http.shutdown()
    http.server_close()
    thread.join()


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run the command line in an empty folder, with an empty home and none of the client's variables."""
    app = Typer(pretty_exceptions_enable=False)
    add_commands(app)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CLAWSCOPE_URL", "CLAWSCOPE_KEY"):
        monkeypatch.delenv(name, raising=False)

    def ran(*arguments: str) -> Ran:
        capfd.readouterr()
        code = run(app, arguments)
        said = capfd.readouterr()
        return Ran(code, said.out, said.err)

    return ran


@dataclass
class Issuer:
    """An issuer on paper: its keys, and the documents it publishes."""

    token_key: SigningKey = field(default_factory=lambda: SigningKey.from_seed(bytes(range(32))))
    statement_key: SigningKey = field(default_factory=lambda: SigningKey.from_seed(bytes(range(1, 33))))

    @property
    def kid(self) -> str:
        """The token key's kid."""
        return thumbprint(self.token_key.public)

    @property
    def statement_kid(self) -> str:
        """The statement key's kid."""
        return thumbprint(self.statement_key.public)

    def statements(self) -> dict[str, Any]:
        """The body of `/v1/jwks/statements`."""
        return {"keys": [{**public_jwk(self.statement_key.public, self.statement_kid), "purpose": "statement"}]}

    def mint(self, **changes: Any) -> Minted:
        """A token good for ten minutes from now."""
        now = SystemClock().now()
        scope = ("proxy:call",)
        plain = {"token_version": "1", "iss": ISSUER, "sub": "did:key:zAgent", "aud": "https://model.example", "scope": scope}
        plain |= {"iat": now, "exp": now + 600, "token_scope_hash_b64u": scope_hash(scope), "jti": "00000000-0000-4000-8000-000000000001"}
        return mint(Claims(**(plain | changes)), self.token_key, self.kid)

    def snapshot(self, records: list[Record], sequence: int, *, age_s: int = 0) -> bytes:
        """A signed revocation snapshot made `age_s` ago."""
        made = SystemClock().now() - age_s
        found = revocation_snapshot.build(
            records,
            as_of_sequence=sequence,
            generated_at=made,
            valid_until=made + 300,
            signer_kid=self.statement_kid,
            key=self.statement_key,
        )
        return revocation_snapshot.encode(found)

    def publish(self, server: Laid, snapshot: bytes | None) -> None:
        """Lay all documents out on a server."""
        server.answer("GET /.well-known/oauth-authorization-server", {"issuer": ISSUER})
        server.answer("GET /v1/jwks", {"keys": [public_jwk(self.token_key.public, self.kid)]})
        server.answer("GET /v1/jwks/statements", self.statements())
        server.answer("GET /v1/keys/rotation-contract", {"accepted_kids": [self.kid], "expiring_kids": [], "revoked_kids": []})
        if snapshot is not None:
            server.answer("GET /v1/revocations/snapshot", snapshot)


@pytest.fixture
def issuer() -> Issuer:
    """An issuer with two keys."""
    return Issuer()
