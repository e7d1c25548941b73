"""A control plane that answers chain reads over real HTTP from a script (identity.md §5, "Chain read")."""

from __future__ import annotations

import copy
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from clawscope.protocol.did import did_key
from clawscope.protocol.digest import sha256_b64u
from clawscope.protocol.keys import SigningKey

DEFAULT_SENSITIVE = ("control:token:issue_sensitive", "control:token:revoke", "control:key:rotate", "control:policy:update",
                     "control:audit:read", "control:revocations:read", "control:*")  # fmt: skip
Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Chain:
    """Owner, controller and agent with real did:keys, and the keys of the first two."""

    owner_did: str
    controller_did: str
    agent_did: str
    owner_key: SigningKey
    controller_key: SigningKey
    policy_hash: str

    @property
    def members(self) -> dict[str, str]:
        """The members a canonical request names."""
        return {"sub": self.agent_did, "owner_did": self.owner_did, "controller_did": self.controller_did}


@dataclass(frozen=True)
class Scripted:
    """One answer: status and body, or a pause until the server closes."""

    status: int
    body: bytes
    hangs: bool = False


class ControlPlane:
    """Serves until closed; unknown chains are 404."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], Scripted] = {}
        self.asked: list[tuple[str, str]] = []
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving and let hanging answers go."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def chain(self, change: Change | None = None, *, allowed: tuple[str, ...] = DEFAULT_SENSITIVE) -> Chain:
        """A new chain and its record; `change` edits the record before it is served."""
        owner, controller = (SigningKey.from_seed(os.urandom(32)) for _ in range(2))
        agent = SigningKey.from_seed(os.urandom(32))
        hashed = sha256_b64u(owner.public + "\n".join(allowed).encode())
        made = Chain(did_key(owner.public), did_key(controller.public), did_key(agent.public), owner, controller, hashed)
        self.serve(made, change, allowed=allowed)
        return made

    def serve(self, chain: Chain, change: Change | None = None, *, allowed: tuple[str, ...] = DEFAULT_SENSITIVE) -> None:
        """Serve the (changed) record of a chain from now on."""
        record = copy.deepcopy(_record(chain, allowed))
        if change is not None:
            change(record)
        self.script(chain, 200, json.dumps(record).encode())

    def script(self, chain: Chain, status: int, body: bytes, *, hangs: bool = False) -> None:
        """Serve any answer for a chain."""
        self._answers[chain.controller_did, chain.agent_did] = Scripted(status, body, hangs)

    def forget(self, chain: Chain) -> None:
        """The chain is unknown from now on."""
        self._answers.pop((chain.controller_did, chain.agent_did))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        plane = self

        class Handler(BaseHTTPRequestHandler):
            """Answers `GET /v1/control-plane/controllers/{c}/agents/{a}`."""

            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = self.path.split("/")
                found = Scripted(404, b'{"error":"NOT_FOUND","message":"no such route"}')
                if parts[:4] == ["", "v1", "control-plane", "controllers"] and len(parts) == 7 and parts[5] == "agents":
                    key = (unquote(parts[4]), unquote(parts[6]))
                    plane.asked.append(key)
                    found = plane._answers.get(key, Scripted(404, b'{"error":"CONTROLLER_NOT_FOUND","message":"unknown controller"}'))
                if found.hangs:
                    plane._closing.wait(30)
                self.send_response(found.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(found.body)))
                self.end_headers()
                self.wfile.write(found.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

        return Handler


def _record(chain: Chain, allowed: tuple[str, ...]) -> dict[str, Any]:
    owner, controller, agent = chain.owner_did, chain.controller_did, chain.agent_did
    policy = {
        "policy_version": "1",
        "mode": "owner_bound",
        "owner_did": owner,
        "allowed_sensitive_scopes": list(allowed),
        "policy_hash_b64u": chain.policy_hash,
        "updated_at": 1,
    }
    controller_record = {
        "controller_did": controller, "owner_did": owner, "active": True, "registered_at": 1, "policy": policy, "transfer_state": "active",
        "version": 1,
    }  # fmt: skip
    binding = {
        "binding_version": "1", "controller_did": controller, "agent_did": agent, "owner_did": owner, "active": True, "registered_at": 1,
        "policy_hash_b64u": chain.policy_hash,
    }  # fmt: skip
    together = {
        "owner_did": owner, "controller_did": controller, "agent_did": agent, "policy_hash_b64u": chain.policy_hash, "active": True,
        "transfer_state": "active", "inactive_reasons": [], "as_of": 1,
    }  # fmt: skip
    resolution = {
        "requested_controller_did": controller, "resolved_controller_did": controller, "requested_agent_did": agent,
        "resolved_agent_did": agent, "controller_aliases": [], "agent_aliases": [],
    }  # fmt: skip
    return {"status": "ok", "owner_did": owner, "controller": controller_record, "agent_binding": binding, "alias_resolution": resolution,
            "chain": together}  # fmt: skip
