"""An operator's desk: moves keys of one served issuer, reads what it publishes, and runs its scheduled jobs when told to."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select, text

from clawscope.infra.db.schema import outbox
from clawscope.protocol import b64u
from clawscope.protocol.jwk import thumbprint
from clawscope.protocol.key_log import LogReport, verify_chain
from clawscope.protocol.key_snapshot import read
from clawscope.protocol.keys import SigningKey
from tests.http.client import Answer
from tests.http.serving import Served
from tests.http.tokens import introspect, legacy

JWKS, CONTRACT, LATEST = "/v1/jwks", "/v1/keys/rotation-contract", "/v1/keys/transparency/latest"
HISTORY, SLO, ACK = "/v1/keys/transparency/history", "/v1/reports/revocation-slo", "/v1/revocations/ack"
DELAY_S, OVERLAP_S, SKEW_S = 600, 3600, 60


class Desk:
    """One issuer whose clock stands still unless moved, and whose scheduled moves happen in `work` alone."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.clock = served.clock
        self.database = served.application.database

    def within(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine in the server's own event loop."""
        loop = self.served.application._jobs._tasks[0].get_loop()

        async def run() -> Any:
            return await make()

        return asyncio.run_coroutine_threadsafe(run(), loop).result(20)

    def work(self, job: str = "keys.moves") -> None:
        """Run a scheduled job now."""
        found = next(one for one in self.served.application.issuer.jobs() if one.name == job)
        self.within(found.run)

    def move(self, seconds: float) -> None:
        """Let time pass; nothing scheduled happens."""
        self.clock.move(seconds)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, then let scheduled moves happen."""
        self.clock.move(seconds)
        self.work()

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """A POST as the operator."""
        return self.served.operator.post(path, body, **headers)

    def prepare(self, reason: str = "planned", **body: Any) -> str:
        """Prepare a key; its kid."""
        return str(self.post("/v1/keys/prepare", {"reason": reason, **body}).ok(201)["kid"])

    def rotate(self, **body: Any) -> Answer:
        """Begin a rotation."""
        return self.post("/v1/keys/rotate", {"reason": "planned", **body})

    def act(self, kid: str, verb: str, reason: str = "planned") -> Answer:
        """Activate, retire or revoke."""
        return self.post(f"/v1/keys/{kid}/{verb}", {"reason": reason})

    def changed(self) -> tuple[str, str]:
        """Prepare a key, wait for its delay, activate it: the new kid and the former."""
        kid = self.prepare()
        self.move(DELAY_S)
        return kid, str(self.act(kid, "activate").ok()["former_kid"])

    def keys(self, purpose: str = "token") -> dict[str, dict[str, Any]]:
        """The listed keys by kid."""
        return {one["kid"]: one for one in self.served.operator.get("/v1/keys", purpose=purpose).ok()["keys"]}

    def states(self, purpose: str = "token") -> dict[str, str]:
        """The state of every key."""
        return {kid: one["state"] for kid, one in self.keys(purpose).items()}

    def active(self, purpose: str = "token") -> str:
        """The one active kid."""
        (found,) = (kid for kid, state in self.states(purpose).items() if state == "active")
        return found

    def see(self, path: str) -> Any:
        """A public document."""
        return self.served.anyone.get(path).ok()

    def listed(self) -> list[str]:
        """The kids of the JWKS, in its order."""
        return [one["kid"] for one in self.see(JWKS)["keys"]]

    def issue(self, **changes: Any) -> dict[str, Any]:
        """A token's answer."""
        return dict(legacy(self.served, **changes).ok())

    def verdict(self, token: str) -> str:
        """`active`, `revoked`, or the code of the refusal."""
        answer = introspect(self.served, token)
        if answer.status == 200:
            return "active" if answer.json["active"] else "revoked"
        assert answer.refusal[0] == answer.status
        return str(answer.json["error"])

    def events(self, *names: str) -> list[dict[str, Any]]:
        """What the outbox holds under these names, oldest first; members with `name` beside."""
        rows = self.within(lambda: self.database.read(lambda tx: tx.rows(select(outbox).order_by(outbox.c.position))))
        shown = [{"name": row.name.split(".")[1], **json.loads(row.data)} for row in rows]
        return [one for one in shown if not names or one["name"] in names]

    def own_node(self) -> dict[str, Any]:
        """The issuer's own process among the verifier nodes."""
        report = self.served.operator.get(SLO).ok()
        (found,) = (one for one in report["nodes"] + report["lost_nodes"] if one["kind"] == "issuer")
        return dict(found)

    def settle(self) -> None:
        """Return once the issuer's own process has told that it applied the whole feed."""
        deadline = time.monotonic() + 10
        while self.own_node()["lag"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def history(self) -> list[dict[str, Any]]:
        """The whole key log, ascending."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.served.operator.get(HISTORY, since=len(found), limit=100).ok()
            found += page["snapshots"]
            if page["list_complete"]:
                return found

    def log_report(self) -> LogReport:
        """What an auditor finds in the key log."""
        entries = [read(one) for one in self.history()]
        publics = [{kid: b64u.decode(one["x"]) for kid, one in self.keys(purpose).items()} for purpose in ("token", "statement")]
        return verify_chain(entries, token_keys=publics[0], statement_keys=publics[1], publish_delay_s=DELAY_S)

    def check(self) -> None:
        """The log holds, and every public answer shows the same key set."""
        report = self.log_report()
        assert report.intact, report
        contract, latest = self.see(CONTRACT), self.see(LATEST)
        assert self.listed() == contract["accepted_kids"] == latest["accepted_kids"]
        for name in ("active_kid", "signing_kids", "verify_only_kids", "expiring_kids", "overlap_seconds", "prepared_kids", "revoked_kids"):
            assert contract[name] == latest[name], name

    def break_table(self, name: str) -> None:
        """Take a table away, as a broken store would."""
        self.within(lambda: self.database.transact(lambda tx: tx.change(text(f"ALTER TABLE {name} RENAME TO gone_{name}"))))

    def mend_table(self, name: str) -> None:
        """Give it back."""
        self.within(lambda: self.database.transact(lambda tx: tx.change(text(f"ALTER TABLE gone_{name} RENAME TO {name}"))))


def seed(name: str) -> str:
    """A seed anybody can make again, as base64url."""
    return b64u.encode(hashlib.sha256(name.encode()).digest())


def key_of(name: str) -> SigningKey:
    """The key of a named seed."""
    return SigningKey.from_seed(b64u.decode(seed(name)))


def kid_of(name: str) -> str:
    """The thumbprint of a named seed's key."""
    return thumbprint(key_of(name).public)


def x_of(name: str) -> str:
    """The public half of a named seed's key, base64url."""
    return b64u.encode(key_of(name).public)
