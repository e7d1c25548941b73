"""Whoever holds a key, and the walks through the control plane that many tests begin with."""

from __future__ import annotations

import itertools
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from clawscope.protocol import b64u, did
from clawscope.protocol.keys import SigningKey
from tests.http.client import Answer, Client
from tests.http.identity.serving import ServedIdentity

PLANE = "/v1/control-plane"
_seeds = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """A did:key and the key behind it."""

    key: SigningKey
    did: str

    def sign(self, message: str) -> str:
        """The signature over a message, as bodies carry it."""
        return b64u.encode(self.key.sign(message.encode()))


def person(seed: bytes | None = None) -> Person:
    """Somebody nobody met before, or the holder of a seed."""
    key = SigningKey.from_seed(seed or next(_seeds).to_bytes(32, "big"))
    return Person(key, did.did_key(key.public))


def at(controller: str, rest: str = "") -> str:
    """The path below a controller."""
    return f"{PLANE}/controllers/{quote(controller, safe='')}{rest}"


@dataclass(frozen=True)
class Desk:
    """A server, and the usual steps at it."""

    served: ServedIdentity

    @property
    def client(self) -> Client:
        """A client without credentials."""
        return self.served.client

    def own_challenge(self, did: str, purpose: str = "bind", **more: Any) -> dict[str, Any]:
        """A challenge for a DID's own binding."""
        answer: dict[str, Any] = self.client.post("/v1/challenges", {"did": did, "purpose": purpose, **more}).ok()
        return answer

    def ask(self, owner: Person, purpose: str, **members: Any) -> Answer:
        """Ask for a control-plane challenge."""
        return self.client.post(f"{PLANE}/challenges", {"owner_did": owner.did, "purpose": purpose, **members})

    def signed(self, owner: Person, purpose: str, **members: Any) -> dict[str, Any]:
        """What a signed body holds, over a fresh challenge."""
        return self.over(owner, self.ask(owner, purpose, **members).ok())

    def over(self, owner: Person, challenge: dict[str, Any], subject: Person | None = None) -> dict[str, Any]:
        """What a signed body holds, over this challenge."""
        body = {"owner_did": owner.did, "challenge_id": challenge["challenge_id"], "signature_b64u": owner.sign(challenge["message"])}
        return body if subject is None else {**body, "subject_signature_b64u": subject.sign(challenge["message"])}

    def bind(self, *people: Person) -> None:
        """Bind everybody."""
        for one in people:
            challenge = self.own_challenge(one.did)
            body = {"did": one.did, "challenge_id": challenge["challenge_id"], "signature_b64u": one.sign(challenge["message"])}
            self.client.post("/v1/bind", body).ok()

    def revoke(self, one: Person, **more: Any) -> dict[str, Any]:
        """Revoke a binding."""
        challenge = self.own_challenge(one.did, "revoke")
        body = {"did": one.did, "challenge_id": challenge["challenge_id"], "signature_b64u": one.sign(challenge["message"]), **more}
        answer: dict[str, Any] = self.client.post("/v1/bindings/revoke", body).ok()
        return answer

    def register(self, owner: Person, controller: Person, *, consent: bool = False, **members: Any) -> Answer:
        """Register a controller; `members` go into the challenge and, scopes alone, into the body."""
        challenge = self.ask(owner, "register_controller", controller_did=controller.did, **members).ok()
        body = {**self.over(owner, challenge, controller if consent else None), "controller_did": controller.did}
        scopes = {name: value for name, value in members.items() if name == "allowed_sensitive_scopes"}
        return self.client.post(f"{PLANE}/controllers/register", {**body, **scopes})

    def add_agent(self, owner: Person, controller: Person, agent: Person, *, consent: bool = False) -> Answer:
        """Register an agent."""
        challenge = self.ask(owner, "register_agent", controller_did=controller.did, agent_did=agent.did).ok()
        body = {**self.over(owner, challenge, agent if consent else None), "agent_did": agent.did}
        return self.client.post(at(controller.did, "/agents/register"), body)

    def family(self) -> tuple[Person, Person, Person]:
        """An owner, a controller and an agent: bound and registered."""
        owner, controller, agent = person(), person(), person()
        self.bind(owner, controller, agent)
        self.register(owner, controller).ok()
        self.add_agent(owner, controller, agent).ok()
        return owner, controller, agent

    def chain(self, controller: str, agent: str) -> dict[str, Any]:
        """The chain read."""
        answer: dict[str, Any] = self.client.get(at(controller, f"/agents/{quote(agent, safe='')}")).ok()
        return answer

    def outbox(self, name: str) -> list[dict[str, Any]]:
        """What events of a name say, oldest first."""
        with closing(sqlite3.connect(self.served.url.removeprefix("sqlite:///"))) as store:
            rows = store.execute("SELECT data FROM outbox WHERE name = ? ORDER BY position", (name,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def audit(self, **query: Any) -> list[dict[str, Any]]:
        """Audit rows, newest first."""
        rows: list[dict[str, Any]] = self.served.auditor.get("/v1/bindings/audit", **query).ok()["events"]
        return rows
