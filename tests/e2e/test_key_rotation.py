"""Keys rotate under load: verifiers that cache the JWKS refuse no valid token and accept none past a cut-off (keys.md §9)."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from clawscope.issuer.usecases.keys.verify_log import verify_log
from clawscope.protocol import b64u
from clawscope.protocol.jwk import thumbprint
from clawscope.protocol.keys import SigningKey
from tests.e2e.conftest import Start
from tests.e2e.processes import Process

MAX_AGE_S, DELAY_S, OVERLAP_S, SKEW_S, TTL_S = 1, 2, 4, 1, 5
SHORT = {
    "SCOPE_JWKS_MAX_AGE_S": str(MAX_AGE_S),
    "SCOPE_PUBLISH_DELAY_S": str(DELAY_S),
    "SCOPE_OVERLAP_S": str(OVERLAP_S),
    "CLAWSCOPE_ISSUER_CLOCK_SKEW_S": str(SKEW_S),
}
REASON = {"reason": "test"}


class CachingVerifier:
    """Verifies offline with a JWKS it keeps for as long as it may and refreshes for no other reason."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._fetched_at = float("-inf")
        self._keys = KeySet([])

    def accepts(self, token: str) -> bool:
        """Whether the signature is by a key of the cached set."""
        asked = time.monotonic()
        if asked - self._fetched_at >= MAX_AGE_S:
            status, jwks = self._process.call("GET", "/v1/jwks", operator=False)
            assert status == 200, jwks
            self._keys, self._fetched_at = KeySet.import_key_set(jwks), asked
        try:
            jwt.decode(token, self._keys, algorithms=["EdDSA"])
        except JoseError:
            return False
        return True


class Traffic:
    """Mints tokens and has them verified, offline and by introspection, and keeps what went wrong."""

    def __init__(self, process: Process, verifiers: int) -> None:
        self._process = process
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._tokens: list[tuple[str, str, int]] = []  # token, kid, exp
        self.first_of: dict[str, str] = {}
        self.verified = 0
        self.refused: list[str] = []
        self.accepted_at: dict[str, float] = {}
        self.faults: list[BaseException] = []
        work: list[Callable[[], None]] = [self._mint, self._introspect, *[self._verifying() for _ in range(verifiers)]]
        self._threads = [threading.Thread(target=self._repeat, args=(one,)) for one in work]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End every thread; raise what one of them met."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)
        if self.faults:
            raise self.faults[0]

    def _repeat(self, step: Callable[[], None]) -> None:
        try:
            while not self._stopping.is_set():
                step()
        except BaseException as fault:
            self.faults.append(fault)

    def _mint(self) -> None:
        issued = self._process.issue(ttl_sec=TTL_S)
        with self._lock:
            self._tokens = [*self._tokens[-400:], (issued["token"], issued["kid"], issued["exp"])]
            self.first_of.setdefault(issued["kid"], issued["token"])

    def _verifying(self) -> Callable[[], None]:
        verifier = CachingVerifier(self._process)

        def step() -> None:
            with self._lock:
                tokens, firsts = self._tokens[-5:] + self._tokens[:2], dict(self.first_of)
            for token, kid, exp in tokens:
                accepted = verifier.accepts(token)
                if not accepted and time.time() < exp:
                    self.refused.append(kid)
                self.verified += 1
            for kid, token in firsts.items():
                if verifier.accepts(token):
                    self.accepted_at[kid] = max(time.time(), self.accepted_at.get(kid, 0))

        return step

    def _introspect(self) -> None:
        with self._lock:
            tokens = self._tokens[-1:] + self._tokens[:1]
        for token, kid, exp in tokens:
            status, answer = self._process.call("POST", "/v1/tokens/introspect", {"token": token}, operator=False)
            if not (status == 200 and answer["active"]) and time.time() < exp:
                self.refused.append(f"{kid}: {answer}")


def token_keys(process: Process) -> dict[str, dict[str, Any]]:
    """The token keys by kid."""
    return {one["kid"]: one for one in process.call("GET", "/v1/keys?purpose=token")[1]["keys"]}


def active_kid(process: Process) -> str:
    """The one active token key."""
    (found,) = (kid for kid, one in token_keys(process).items() if one["state"] == "active")
    return found


def until(holds: Callable[[], bool], within_s: float = 15) -> None:
    """Return once something holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check_log(process: Process, publish_delay_s: int) -> list[dict[str, Any]]:
    """The whole key log, which must hold."""
    snapshots: list[dict[str, Any]] = []
    while page := process.call("GET", f"/v1/keys/transparency/history?since={len(snapshots)}&limit=100")[1]["snapshots"]:
        snapshots += page
    report = verify_log(snapshots, process.call("GET", "/v1/keys")[1]["keys"], publish_delay_s=publish_delay_s)
    assert report.intact, report
    return snapshots


def rotate_under_load(process: Process, rotations: int, verifiers: int) -> Traffic:
    """Rotate again and again; no token may be refused while it lives, no key be accepted past its cut-off."""
    traffic = Traffic(process, verifiers)
    try:
        for _ in range(rotations):
            status, begun = process.call("POST", "/v1/keys/rotate", REASON)
            assert status == 202, begun
            until(lambda kid=begun["prepared_kid"]: active_kid(process) == kid)
        over = [kid for kid, one in token_keys(process).items() if one["state"] != "active"]
        until(lambda: token_keys(process)[over[0]]["state"] == "retired")
        time.sleep(MAX_AGE_S)
    finally:
        traffic.stop()
    assert traffic.refused == []
    for kid, at in traffic.accepted_at.items():
        cut_off = token_keys(process)[kid].get("not_after_unix", time.time())
        # The cut-off second itself is within; a cached JWKS may be as old as its max-age.
        assert at < cut_off + 1 + MAX_AGE_S, kid
    for kid in over:
        if token_keys(process)[kid]["state"] == "retired":
            status, answer = process.call("POST", "/v1/tokens/introspect", {"token": traffic.first_of[kid]}, operator=False)
            assert (status, answer["error"]) == (401, "TOKEN_KID_EXPIRED")
    assert len(traffic.first_of) == rotations + 1
    snapshots = check_log(process, DELAY_S)
    assert "delay_waived" not in {one["reason"] for one in snapshots}
    return traffic


def test_five_rotations_refuse_no_valid_token_and_accept_none_past_its_cut_off(start: Start) -> None:
    assert rotate_under_load(start(**SHORT), 5, 2).verified > 500


@pytest.mark.soak
def test_twenty_rotations_at_a_thousand_verifications_a_second(start: Start) -> None:
    process = start(**SHORT)
    began = time.monotonic()
    traffic = rotate_under_load(process, 20, 4)
    assert traffic.verified / (time.monotonic() - began) >= 1000


def test_a_hangup_takes_over_changed_keys_and_a_faulty_one_changes_nothing(start: Start, tmp_path: Path) -> None:
    first, second, statement = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3))
    config, launcher = tmp_path / "clawscope.toml", tmp_path / "configured.py"
    launcher.write_text(f"import sys\nfrom clawscope.main.cli import run\nsys.argv += ['--config', {str(config)!r}]\nrun()\n")

    def write(*seeds: str) -> None:
        table = {"statement_key": b64u.encode(bytes([3]) * 32), "signing_keys_json": json.dumps(seeds)}
        config.write_text("[issuer.keys]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in table.items()))

    def hang_up() -> None:
        process.process.send_signal(signal.SIGHUP)

    seeds = [b64u.encode(bytes([number]) * 32) for number in (1, 2)]
    write(seeds[0])
    process = start(launcher=launcher)
    issued = process.issue()
    assert issued["kid"] == thumbprint(first.public)
    write("damaged")
    hang_up()
    until(lambda: "not reloaded" in process._log.read_text())
    assert process.issue()["kid"] == issued["kid"]
    write(seeds[1], seeds[0])
    hang_up()
    until(lambda: process.issue()["kid"] == thumbprint(second.public))
    assert process.is_active(issued["token"])
    assert set(token_keys(process)) == {thumbprint(first.public), thumbprint(second.public)}
    assert check_log(process, 600)[-1]["statement_kid"] == thumbprint(statement.public)


def move_until_killed(process: Process, acknowledged: list[tuple[str, str]]) -> None:
    """Prepare, abandon and revoke keys until the server goes, and remember what was acknowledged."""
    try:
        while True:
            status, prepared = process.call("POST", "/v1/keys/prepare", REASON)
            if status == 201:
                acknowledged.append((prepared["kid"], "prepared"))
            kid = active_kid(process)
            if process.call("POST", f"/v1/keys/{kid}/revoke", REASON)[0] == 200:
                acknowledged.append((kid, "revoked"))
    except (OSError, http.client.HTTPException, ValueError):
        return


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_kill_nine_amid_moves_leaves_one_active_key_and_a_whole_chain(start: Start, rounds: int) -> None:
    acknowledged: list[tuple[str, str]] = []
    for turn in range(1, rounds + 1):
        process = start()
        movers = [threading.Thread(target=move_until_killed, args=(process, acknowledged)) for _ in range(2)]
        for mover in movers:
            mover.start()
        until(lambda turn=turn: len(acknowledged) > 12 * turn)
        process.kill()
        for mover in movers:
            mover.join(30)
        again = start()
        keys = token_keys(again)
        active = active_kid(again)
        assert all(kid in keys for kid, _ in acknowledged)
        assert all(keys[kid]["state"] == "revoked" for kid, move in acknowledged if move == "revoked")
        assert again.issue()["kid"] == active
        assert check_log(again, 600)[-1]["active_kid"] == active
        again.stop()
