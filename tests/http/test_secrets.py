"""Nothing that was secret is found where it should not be: logs, answers, metrics, exports, the store, traces."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clawscope.protocol import b64u
from clawscope.protocol.keys import SigningKey
from tests.http.client import Client
from tests.http.tokens import EXCHANGE, JWT_TYPE, request

_PROGRAM = "import sys; from clawscope.main.cli import run; sys.exit(run())"
CANARY_KEY = "op_canary_5a8d1f0c7b3e4462"


@dataclass(frozen=True)
class DevServer:
    """A server process with all its outputs on file."""

    data: Path
    client: Client
    key: str
    out: Path
    err: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """A dev server at log level DEBUG in a process of its own."""
    folder = tmp_path_factory.mktemp("secrets")
    data, out, err = folder / "data", folder / "out", folder / "err"
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("CLAWSCOPE_", "SCOPE_"))}
    environ = plain | {"CLAWSCOPE_TELEMETRY_LOG_LEVEL": "debug", "CLAWSCOPE_TELEMETRY_LOG_FORMAT": "json"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, "-c", _PROGRAM, "serve", "--dev", "--data", str(data), "--port", str(port)]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environ)
    client = Client(port)
    deadline = time.monotonic() + 30
    while True:
        try:
            if client.get("/ready").status == 200:
                break
        except OSError:
            assert process.poll() is None, err.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield DevServer(data, client, json.loads((data / "dev.json").read_text())["operator_key"], out, err)
    process.send_signal(signal.SIGTERM)
    process.wait(20)


def scenario(server: DevServer) -> tuple[list[str], list[bytes]]:
    """A mixed scenario; returns every full token and all answers but those whose purpose is to hand a token out."""
    operator = server.client.with_headers(Authorization=f"Bearer {server.key}")
    headers = {"Idempotency-Key": "once"}
    tokens: list[str] = []
    answers: list[bytes] = []
    for n in range(5):
        issued = operator.call("POST", "/v1/tokens/issue", request(mission_id=f"m{n}"), headers=headers if n == 0 else {})
        tokens.append(issued.ok()["token"])
    form = {"grant_type": EXCHANGE, "subject_token": tokens[0], "subject_token_type": JWT_TYPE}
    tokens.append(server.client.call("POST", "/oauth2/token", form=form).ok()["access_token"])
    damaged = tokens[1][:-4] + "AAAA"
    for text in (*tokens, damaged, tokens[2] + "=", "x" + tokens[2]):
        answers.append(server.client.post("/v1/tokens/introspect", {"token": text}).raw)
        answers.append(server.client.post("/v1/tokens/introspect/matrix", {"token": text}).raw)
        answers.append(server.client.post("/v1/tokens/introspect", {"token": text, "oops": text}).raw)
        answers.append(operator.call("POST", "/oauth2/introspect", form={"token": text}).raw)
        answers.append(server.client.with_headers(X_CST=text).get("/v1/audit/issuance").raw)
        answers.append(server.client.with_headers(Authorization=f"Bearer {text}").get(f"/v1/audit/issuance?token={text}").raw)
        answers.append(server.client.call("GET", f"/v1/{text}").raw)
        answers.append(operator.post("/v1/tokens/revoke", {"token_hash": text}).raw)
    answers.append(operator.post("/v1/tokens/revoke", {"token": tokens[3], "reason": "gone"}).raw)
    for wrong in (f"Bearer {CANARY_KEY}", f"Basic {CANARY_KEY}", CANARY_KEY, f"Bearer {server.key}x"):
        answers.append(server.client.with_headers(Authorization=wrong).post("/v1/tokens/issue", request()).raw)
        answers.append(server.client.with_headers(Authorization=wrong).get("/v1/audit/issuance").raw)
    answers.append(
        server.client.call("POST", "/oauth2/introspect", form={"token": tokens[0], "client_id": "dev", "client_secret": CANARY_KEY}).raw
    )
    answers += [operator.get(path).raw for path in ("/v1/audit/issuance", "/v1/audit/bundle", "/v1/audit/bundle?format=ndjson",
    "/v1/revocations/events",
                                                    "/v1/revocations/stream", "/v1/revocations/snapshot", "/v1/keys", "/metrics",
                                                    "/openapi.json", "/health")]  # fmt: skip
    return tokens, answers


def test_nothing_secret_is_found_anywhere(server: DevServer) -> None:
    tokens, answers = scenario(server)
    secrets = json.loads((server.data / "dev-secrets.json").read_text())
    assert secrets["operator_key"] == server.key
    deadline = time.monotonic() + 5
    while server.err.stat().st_size + server.out.stat().st_size == 0 and time.monotonic() < deadline:
        time.sleep(0.05)  # the relay logs events a moment later
    places = {
        "answers": b"\n".join(answers),
        "stderr": server.err.read_bytes(),
        "store": b"".join(path.read_bytes() for path in server.data.glob("clawscope.db*")),
    }
    signatures = [text.rpartition(".")[2] for text in tokens]
    hidden = [*tokens, *signatures, server.key, secrets["master_key"], CANARY_KEY]
    for place, content in places.items():
        assert content, place
        for secret in hidden:
            assert secret.encode() not in content, (place, secret[:6])
    printed = server.out.read_bytes()
    assert not any(secret.encode() in printed for secret in [*tokens, *signatures, secrets["master_key"], CANARY_KEY])


def test_seeds_are_sealed_in_the_store(server: DevServer) -> None:
    stored = b"".join(path.read_bytes() for path in server.data.glob("clawscope.db*"))
    keys = server.client.get("/.well-known/jwks.json").ok()["keys"]
    assert keys
    assert b'"d"' not in stored
    # A sealed seed is no seed: no 32 bytes of the store make one of the published keys.
    wanted = {b64u.decode(key["x"]) for key in keys}
    for place in (at for public in wanted for at in _near(stored, public)):
        seed = stored[place : place + 32]
        assert len(seed) < 32 or SigningKey.from_seed(seed).public not in wanted


def _near(stored: bytes, public: bytes) -> list[int]:
    """Offsets in the 1 KiB around each place of a public key: where its seed would stand in the same row."""
    at = stored.find(public)
    return [] if at < 0 else list(range(max(0, at - 512), at + 512))
