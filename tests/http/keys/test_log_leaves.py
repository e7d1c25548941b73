"""The transparency log as a neighbour: every snapshot and issuance is a leaf, and activation waits for inclusion (keys.md §6)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from clawscope.kernel.codes import STORE_UNAVAILABLE
from clawscope.protocol.jcs import canonical
from tests.http.keys.conftest import OpenDesk
from tests.http.keys.desk import DELAY_S, Desk

KEYS_LOG, AUDIT_LOG = "issuer-keys", "issuer-audit"


class MemoryLog:
    """A log that takes leaves in order and includes them, unless told not to; a leaf appended twice stays once."""

    def __init__(self) -> None:
        self.leaves: dict[str, list[bytes]] = {}
        self.includes_new = True
        self.answers = True

    async def append(self, log_id: str, leaf: bytes) -> None:
        """See `TransparencyLog.append`."""
        self._refuse_silence()
        found = self.leaves.setdefault(log_id, [])
        if leaf not in found:
            found.append(leaf)

    async def includes(self, log_id: str, leaf: bytes) -> bool:
        """See `TransparencyLog.includes`."""
        self._refuse_silence()
        return self.includes_new and leaf in self.leaves.get(log_id, [])

    def _refuse_silence(self) -> None:
        if not self.answers:
            raise STORE_UNAVAILABLE("the log is down")


@pytest.fixture
def log() -> MemoryLog:
    """A log that works."""
    return MemoryLog()


@pytest.fixture
def logged(open_desk: OpenDesk, log: MemoryLog) -> Desk:
    """A desk of an issuer that is connected to the log."""
    return open_desk(log=log)


def leaf(value: dict[str, Any]) -> bytes:
    """SHA-256 of the JCS."""
    return hashlib.sha256(canonical(value)).digest()


def test_every_snapshot_becomes_a_leaf_in_order(logged: Desk, log: MemoryLog) -> None:
    logged.prepare()
    logged.act(logged.active(), "revoke").ok()
    logged.work("keys.leaves")
    assert log.leaves[KEYS_LOG] == [leaf(one) for one in logged.history()]
    logged.prepare()
    logged.work("keys.leaves")
    logged.work("keys.leaves")
    assert log.leaves[KEYS_LOG] == [leaf(one) for one in logged.history()]


def test_every_issuance_row_becomes_a_leaf_in_order(logged: Desk, log: MemoryLog) -> None:
    for _ in range(5):
        logged.issue()
    logged.work("issuer.audit_leaves")
    rows = logged.served.operator.get("/v1/audit/issuance", limit=10).ok()["events"]
    assert log.leaves[AUDIT_LOG] == [leaf(one["record"]) for one in reversed(rows)]


def test_activation_waits_for_inclusion(logged: Desk, log: MemoryLog) -> None:
    former, kid = logged.active(), logged.prepare()
    logged.move(DELAY_S)
    refused = logged.act(kid, "activate")
    assert refused.refusal == (503, "KEY_LOG_UNAVAILABLE")
    assert int(refused.headers["retry-after"]) <= 2
    logged.work("keys.leaves")
    log.includes_new = False
    assert logged.act(kid, "activate").refusal == (503, "KEY_LOG_UNAVAILABLE")
    log.includes_new = True
    log.answers = False
    assert logged.act(kid, "activate").refusal == (503, "KEY_LOG_UNAVAILABLE")
    assert logged.active() == former
    log.answers = True
    assert logged.act(kid, "activate").ok()["active_kid"] == kid
    logged.check()


def test_a_key_that_is_not_ready_is_not_the_logs_fault(logged: Desk, log: MemoryLog) -> None:
    kid = logged.prepare()
    log.answers = False
    assert logged.act(kid, "activate").refusal == (409, "KEY_NOT_READY")


def test_an_emergency_does_not_wait_for_the_log(logged: Desk, log: MemoryLog) -> None:
    log.answers = False
    kid, waiting = logged.active(), logged.prepare()
    assert logged.act(kid, "revoke", "stolen").ok()["replacement_kid"] == waiting
    assert logged.issue()["kid"] == waiting
    logged.check()


def test_a_scheduled_rotation_waits_for_the_log_and_goes_on_when_it_is_back(logged: Desk, log: MemoryLog) -> None:
    kid = logged.rotate().ok(202)["prepared_kid"]
    log.answers = False
    logged.pass_time(DELAY_S)
    assert logged.states()[kid] == "prepared"
    assert logged.see("/v1/keys/transparency/latest")["reason"] == "refresh"
    log.answers = True
    logged.work("keys.leaves")
    logged.work()
    assert logged.active() == kid
    logged.check()


def test_a_log_that_was_down_gets_every_leaf_afterwards(logged: Desk, log: MemoryLog) -> None:
    log.answers = False
    logged.prepare()
    logged.issue()
    for job in ("keys.leaves", "issuer.audit_leaves"):
        with pytest.raises(Exception, match="STORE_UNAVAILABLE"):
            logged.work(job)
    log.answers = True
    logged.work("keys.leaves")
    logged.work("issuer.audit_leaves")
    assert log.leaves[KEYS_LOG] == [leaf(one) for one in logged.history()]
    assert len(log.leaves[AUDIT_LOG]) == 1


def test_without_a_log_moves_wait_for_nothing(desk: Desk) -> None:
    kid, _ = desk.changed()
    assert desk.active() == kid
