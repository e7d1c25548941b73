"""Authoritative at commit: what was revoked or cut off passes nowhere after the answer, whatever else runs (tokens.md §4.4)."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clawscope.protocol.jcs import canonical as jcs
from tests.fakes.control_plane import ControlPlane
from tests.fakes.ports import MemoryLog
from tests.http.serving import MakeServer, Served
from tests.http.tokens import LEGACY, canonical, control_token, introspect, legacy, request, revoke, token, unique


def test_no_introspection_passes_after_the_revoke_was_answered(dev: Served) -> None:
    late: list[bool] = []
    for _ in range(15):
        text = token(dev)
        done = threading.Event()

        def ask(text: str = text, done: threading.Event = done) -> list[tuple[bool, bool]]:
            seen = []
            for _ in range(12):
                over = done.is_set()
                seen.append((over, bool(introspect(dev, text).json["active"])))
            return seen

        with ThreadPoolExecutor(3) as pool:
            asking = [pool.submit(ask) for _ in range(3)]
            assert revoke(dev, token=text).ok()["status"] == "revoked"
            done.set()
            late += [active for future in asking for over, active in future.result() if over]
        assert introspect(dev, text).ok()["active"] is False
    assert late
    assert not any(late)


def test_cut_off_amid_issues_leaves_no_covered_token_alive(dev: Served) -> None:
    run = unique("run")
    with ThreadPoolExecutor(6) as pool:
        issuing = [pool.submit(legacy, dev, run_id=run) for _ in range(30)]
        cut = dev.operator.post("/v1/revocations/cutoffs", {"dimension": "run_id", "value": run, "reason": "x", "lock": True}).ok()
        answers = [future.result() for future in issuing]
    assert {answer.status for answer in answers} <= {200, 403}
    for answer in answers:
        if answer.status == 200:
            assert answer.json["iat"] <= cut["not_before"]
            assert introspect(dev, answer.json["token"], run_id=run).ok()["revoked_by_kind"] == "cutoff"
        else:
            assert answer.refusal == (403, "SUBJECT_CUT_OFF")
    alive = [answer for answer in answers if answer.status == 200]
    assert len(dev.operator.get("/v1/audit/issuance", run_id=run, limit=200).ok()["events"]) == len(alive)


def test_issue_and_revoke_are_numbered_without_gap_under_load(make_server: MakeServer) -> None:
    served = make_server()

    def one(_: int) -> int:
        body = legacy(served).ok()
        return int(revoke(served, token=body["token"]).ok()["sequence"])

    with ThreadPoolExecutor(8) as pool:
        sequences = sorted(pool.map(one, range(60)))
    assert sequences == list(range(1, 61))
    rows = served.operator.get("/v1/audit/issuance", limit=200).ok()["events"]
    assert [row["record"]["sequence"] for row in rows] == list(range(60, 0, -1))


def test_revocations_survive_a_restart(make_server: MakeServer) -> None:
    served = make_server()
    dead, alive = token(served), token(served)
    revoke(served, token=dead).ok()
    served.stop()
    again = make_server(data=served.data)
    assert introspect(again, dead).ok()["revoked"] is True
    assert introspect(again, alive).ok()["active"] is True
    assert revoke(again, token=alive).ok()["sequence"] == 2


def test_every_issuance_becomes_a_leaf_of_the_log(make_server: MakeServer) -> None:
    log = MemoryLog()
    served = make_server(log=log)
    for _ in range(3):
        token(served)
    rows = served.operator.get("/v1/audit/issuance").ok()["events"][::-1]
    deadline = time.monotonic() + 5
    found: list[bytes] = []
    while len(found) < 3 and time.monotonic() < deadline:
        found = [leaf for name, leaf in log.leaves if name == "issuer-audit"]
        time.sleep(0.02)
    assert found == [hashlib.sha256(jcs(row["record"])).digest() for row in rows]


def test_idempotency_keys_hold_for_revoking_and_lifting(dev: Served) -> None:
    """Mutating management calls take the key: same key and body, same answer (tokens.md §0)."""
    headers = {"Idempotency-Key": unique("key")}
    body = {"token": token(dev)}
    first, second = (dev.operator.call("POST", "/v1/tokens/revoke", body, headers=headers) for _ in range(2))
    assert first.ok()["status"] == "revoked"
    assert first.raw == second.raw
    cut = dev.operator.post("/v1/revocations/cutoffs", {"dimension": "run_id", "value": unique("r"), "reason": "x", "lock": True}).ok()[
        "cutoff_id"
    ]
    headers = {"Idempotency-Key": unique("key")}
    first, second = (dev.operator.call("DELETE", f"/v1/revocations/cutoffs/{cut}", headers=headers) for _ in range(2))
    assert first.ok()["status"] == "lifted"
    assert first.raw == second.raw


def test_agent_asks_for_its_own_approval_and_sees_it_alone(tiered: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    agent = tiered.cst(str(canonical(tiered, chain).ok()["token"]))
    asked: dict[str, Any] = {"scope": ["proxy:pay:now"], "reason": "mine", "evidence_required": []}
    approval = agent.post("/v1/approvals", asked).ok(201)["approval_id"]
    shown = agent.get(f"/v1/approvals/{approval}").ok()
    assert (shown["request"]["sub"], shown["request"]["owner_did"]) == (chain.agent_did, chain.owner_did)
    stranger = tiered.cst(str(canonical(tiered, control_plane.chain()).ok()["token"]))
    assert stranger.get(f"/v1/approvals/{approval}").refusal == (404, "NOT_FOUND")
    assert agent.get("/v1/approvals").refusal[0] in (401, 403)
    assert agent.post(f"/v1/approvals/{approval}/decision", {"decision": "approve", "reason": "me"}).refusal[0] in (401, 403)
    for reader in (tiered.cst(control_token(tiered, control_plane, "control:audit:read")), agent):
        assert reader.post(LEGACY, request()).refusal == (401, "UNAUTHORIZED")
