"""Server processes as users start them, and the calls these tests make to them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

OPERATOR_KEY = "op_" + "k" * 40
_MASTER_KEY = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0"
_START_S = 30
ASK = {"sub": "did:web:agent.example", "aud": "https://tool.example", "scope": ["proxy:call"], "ttl_sec": 600}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Process:
    """One `clawscope serve` process (or several workers) on a store of its own or a shared one."""

    def __init__(self, data: Path, *, workers: int = 1, launcher: Path | None = None, **environ: str) -> None:
        self.port = free_port()
        self.data = data
        self._log = data.parent / f"{data.name}-{self.port}.log"
        command = [sys.executable, str(launcher)] if launcher else [str(Path(sys.executable).parent / "clawscope")]
        options = ["serve", "--dev", "--data", str(data), "--port", str(self.port), "--workers", str(workers)]
        settings = {
            "CLAWSCOPE_ISSUER_URL": "https://clawscope.example",
            "CLAWSCOPE_ISSUER_OPERATOR_KEYS": json.dumps({"dev": OPERATOR_KEY}),
            "CLAWSCOPE_ISSUER_KEYS_MASTER_KEY": _MASTER_KEY,
            "CLAWSCOPE_ISSUER_INTROSPECT_ANONYMOUS_PER_S": "0",
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([*command, *options], env={**os.environ, **settings, **environ}, stdout=log, stderr=log)

    def wait_ready(self) -> Process:
        """Return once `/ready` says so."""
        deadline = time.monotonic() + _START_S
        while True:
            assert self.process.poll() is None, self._log.read_text()
            try:
                if self.call("GET", "/ready")[0] == 200:
                    return self
            except OSError:
                pass
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, form: Mapping[str, str] | None = None, operator: bool = True
    ) -> tuple[int, Any]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": f"Bearer {OPERATOR_KEY}"} if operator else {}
        raw = None
        if body is not None:
            raw, headers["Content-Type"] = json.dumps(body), "application/json"
        if form is not None:
            raw, headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, raw, headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def issue(self, **more: Any) -> dict[str, Any]:
        """A token in the legacy lane."""
        status, answer = self.call("POST", "/v1/tokens/issue", {**ASK, **more})
        assert status == 200, answer
        return dict(answer)

    def is_active(self, token: str) -> bool:
        """What introspection says."""
        status, answer = self.call("POST", "/v1/tokens/introspect", {"token": token}, operator=False)
        assert status == 200, answer
        return bool(answer["active"])

    def revoke(self, token: str) -> dict[str, Any]:
        """Revoke a token."""
        status, answer = self.call("POST", "/v1/tokens/revoke", {"token": token})
        assert status == 200, answer
        return dict(answer)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(20)
