"""The faults of keys.md §10, one test each, named after its number."""

from __future__ import annotations

import json
import time
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from clawscope.infra.config.loading import ConfigProblems
from clawscope.issuer.adapters.tables import revocations
from clawscope.issuer.domain.feed import NEVER
from clawscope.issuer.usecases.keys.verify_log import verify_log
from clawscope.protocol import b64u
from tests.fakes.control_plane import ControlPlane
from tests.http.keys.conftest import Deployment, OpenDesk
from tests.http.keys.desk import ACK, CONTRACT, DELAY_S, HISTORY, JWKS, LATEST, OVERLAP_S, SKEW_S, SLO, Desk, kid_of, seed, x_of
from tests.http.keys.test_configured import NOW, publics, seeds
from tests.http.tokens import LEGACY, introspect, request

PUBLIC = [JWKS, "/.well-known/jwks.json", "/v1/jwks/statements", CONTRACT, LATEST, "/v1/did", "/.well-known/did.json"]


def test_fault_01_an_extra_signing_key_ends_and_its_tokens_decide_when(deployment: Deployment) -> None:
    desk = deployment.start({"max_ttl_s": 86_400}, SCOPE_SIGNING_KEYS_JSON=seeds("a", "b"))
    long = desk.issue(ttl_sec=20_000)
    desk.move(DELAY_S)
    desk = deployment.start({"max_ttl_s": 86_400}, SCOPE_SIGNING_KEYS_JSON=seeds("b", "a"))
    assert desk.states()[kid_of("a")] == "prepared"
    desk = deployment.start({"max_ttl_s": 86_400}, SCOPE_SIGNING_KEYS_JSON=seeds("b"))
    cut_off = long["exp"] + 2 * SKEW_S
    assert desk.see(CONTRACT)["expiring_kids"] == [{"kid": kid_of("a"), "not_after_unix": cut_off}]
    desk.move(long["exp"] + SKEW_S - 1 - desk.clock.now())
    assert desk.verdict(long["token"]) == "active"
    desk.move(SKEW_S + 2)
    assert desk.verdict(long["token"]) == "TOKEN_KID_EXPIRED"
    assert desk.listed() == [kid_of("b")]


def test_fault_01_the_announced_overlap_is_enforced(desk: Desk) -> None:
    kid, former = desk.changed()
    (announced,) = desk.see(CONTRACT)["expiring_kids"]
    forged = desk.served.application.issuer.view.keyring.private(former)
    assert forged is not None
    header = b64u.encode(f'{{"alg":"EdDSA","typ":"JWT","kid":"{former}"}}'.encode())
    signed = f"{header}.{b64u.encode(b'{}')}"
    token = f"{signed}.{b64u.encode(forged.sign(signed.encode()))}"
    desk.move(announced["not_after_unix"] - desk.clock.now())
    assert desk.verdict(token) == "TOKEN_INVALID_CLAIMS"
    desk.move(1)
    assert desk.verdict(token) == "TOKEN_KID_EXPIRED"
    assert desk.listed() == [kid]


def test_fault_02_keys_rotate_without_a_deployment_and_leave_history_reason_and_event(desk: Desk) -> None:
    kid = desk.rotate(reason="quarterly").ok(202)["prepared_kid"]
    desk.pass_time(DELAY_S)
    assert desk.issue()["kid"] == kid
    assert [one["reason"] for one in desk.history()][:3] == ["boot", "prepared", "activated"]
    (prepared,) = (one for one in desk.events("key_prepared") if one["kid"] == kid)
    assert (prepared["reason"], prepared["actor"]) == ("quarterly", "operator:dev")
    assert {one["reason"] for one in desk.events("key_activated") if one["kid"] == kid} == {"rotation"}


def test_fault_03_a_bad_verify_entry_takes_nothing_down(deployment: Deployment) -> None:
    desk = deployment.start(SCOPE_SIGNING_KEY=seed("a"))
    token = desk.issue()["token"]
    bad = json.dumps([{"x": x_of("old"), "not_after_unix": NOW + 9}, {"x": "AAAA", "not_after_unix": NOW + 9}])
    deployment.reload(desk, SCOPE_SIGNING_KEY=seed("a"), SCOPE_VERIFY_PUBLIC_KEYS_JSON=bad)
    assert desk.issue()["kid"] == kid_of("a")
    assert desk.verdict(token) == "active"
    assert desk.listed() == [kid_of("a")]
    with pytest.raises(ConfigProblems, match=r"verify_public_keys_json\[1\]"):
        deployment.start(SCOPE_SIGNING_KEY=seed("a"), SCOPE_VERIFY_PUBLIC_KEYS_JSON=bad)


def test_fault_04_a_seed_that_does_not_open_is_one_code_wherever_it_would_sign(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.served.stop()
    wrong = open_desk({"keys.master_key": b64u.encode(b"w" * 32)}, clock=desk.clock, data=desk.served.data)
    calls: list[tuple[str, Any]] = [
        (LEGACY, request()), ("/v1/keys/prepare", {"reason": "x"}), ("/v1/keys/rotate", {"reason": "x"}),
        ("/v1/keys/transparency/snapshot", None),
    ]  # fmt: skip
    for path, body in calls:
        assert wrong.served.operator.call("POST", path, body).refusal == (503, "SIGNING_CONFIG_INVALID"), path
    for path in PUBLIC:
        assert wrong.served.anyone.get(path).status == 200, path


def test_fault_04_a_key_set_that_cannot_be_read_is_one_code_in_every_answer(open_desk: OpenDesk) -> None:
    desk = open_desk()
    desk.break_table("issuer_keys")
    desk.within(
        lambda: desk.database.transact(lambda tx: tx.change(text("UPDATE sequences SET value = value + 1 WHERE name = 'key_snapshots'")))
    )
    for path in (one for one in PUBLIC if one != LATEST):
        assert desk.served.anyone.get(path).refusal == (503, "SIGNING_CONFIG_INVALID"), path


def test_fault_05_latest_is_never_old(desk: Desk) -> None:
    for _ in range(5):
        kid = desk.prepare()
        latest = desk.served.anyone.get(LATEST)
        assert kid in latest.ok()["accepted_kids"]
        assert latest.headers["cache-control"] == "no-cache"
    replacement = desk.act(desk.active(), "revoke").ok()["replacement_kid"]
    assert desk.see(LATEST)["active_kid"] == replacement == desk.issue()["kid"]


def test_fault_06_snapshots_are_linked_and_two_of_one_second_are_two(desk: Desk) -> None:
    for _ in range(4):
        desk.served.operator.call("POST", "/v1/keys/transparency/snapshot").ok()
    entries = desk.history()
    assert len({one["generated_at"] for one in entries}) == 1
    assert len({one["snapshot_id"] for one in entries}) == len({one["entry_hash_b64u"] for one in entries}) == 5
    assert all(later["prev_entry_hash_b64u"] == one["entry_hash_b64u"] for one, later in pairwise(entries))
    assert desk.log_report().intact
    page = desk.served.operator.get(HISTORY, limit=2).ok()
    assert page["cursor"]


@pytest.mark.parametrize("member", ["snapshot_id", "sequence", "reason"])
def test_fault_06_id_and_place_stand_inside_the_signature(desk: Desk, member: str) -> None:
    desk.prepare()
    entries = desk.history()
    changed = {"snapshot_id": entries[1]["snapshot_id"] + "0", "sequence": 3, "reason": "manual"}
    entries[1] |= {member: changed[member]}
    listed = [*desk.keys().values(), *desk.keys("statement").values()]
    report = verify_log(entries, listed, publish_delay_s=DELAY_S)
    assert (report.intact, report.checked) == (False, 1)


def test_fault_07_reading_writes_nothing(desk: Desk) -> None:
    desk.changed()
    before = contents(desk)
    desk.move(OVERLAP_S + 2 * SKEW_S + 1000)
    for path in PUBLIC * 3:
        assert desk.served.anyone.get(path).status == 200
    for path in ("/v1/keys", HISTORY, SLO):
        assert desk.served.operator.get(path).status == 200
    assert contents(desk) == before


def contents(desk: Desk) -> dict[str, Any]:
    """Every row of every table but those of leases and of the process's own presence."""

    def read(tx: Any) -> dict[str, Any]:
        names = [row[0] for row in tx.rows(text("SELECT name FROM sqlite_master WHERE type = 'table'"))]
        kept = [name for name in names if "node" not in name and name not in ("job_leases", "idempotency")]
        return {name: sorted(map(repr, tx.rows(text(f"SELECT * FROM {name}")))) for name in kept}

    return dict(desk.within(lambda: desk.database.read(read)))


def test_fault_08_a_key_dropped_from_the_configuration_is_expired_not_unknown(deployment: Deployment) -> None:
    desk = deployment.start(SCOPE_SIGNING_KEY=seed("a"))
    token = desk.issue(ttl_sec=3600)["token"]
    cut_off = NOW + OVERLAP_S + 2 * SKEW_S
    desk = deployment.start(SCOPE_SIGNING_KEY=seed("b"), SCOPE_VERIFY_PUBLIC_KEYS_JSON=publics(("a", cut_off)))
    assert desk.verdict(token) == "active"
    desk = deployment.start(SCOPE_SIGNING_KEY=seed("b"))
    assert desk.verdict(token) == "TOKEN_KID_EXPIRED"
    assert desk.listed() == [kid_of("b")]
    desk.check()


def test_fault_09_kids_are_whole_hashes_and_never_name_a_second_key(desk: Desk) -> None:
    kids = [desk.active(), *(desk.prepare() for _ in range(3))]
    assert {len(kid) for kid in kids} == {43}
    assert desk.post("/v1/keys/prepare", {"reason": "x", "kid": kids[1]}).refusal == (409, "KID_TAKEN")


def test_fault_10_no_data_is_null_and_pending_rows_count(desk: Desk) -> None:
    assert desk.served.operator.get(SLO).ok()["compliance_ratio"] is None
    desk.post(ACK, {"node_id": "proxy-1", "kind": "proxy", "applied_sequence": 0}).ok()
    token = desk.issue()["token"]
    desk.post("/v1/tokens/revoke", {"token": token}).ok()
    desk.settle()
    desk.move(3)
    for _ in range(3):
        assert introspect(desk.served, token).json["revoked"] is True
    report = desk.served.operator.get(SLO).ok()
    assert (report["observed_revocations"], report["overdue_revocations"], report["compliance_ratio"]) == (0, 1, 0.0)
    assert report["latency_seconds"]["max"] is None
    desk.move(7)
    desk.post(ACK, {"node_id": "proxy-1", "kind": "proxy", "applied_sequence": 1}).ok()
    assert desk.served.operator.get(SLO).ok()["latency_seconds"]["max"] == 10.0


def test_fault_10_a_row_nobody_was_there_for_gets_no_latency(desk: Desk) -> None:
    desk.within(lambda: desk.database.transact(lambda tx: tx.change(text("DELETE FROM issuer_node_presence"))))
    add_rows(desk, 1)
    desk.move(60)
    report = desk.served.operator.get(SLO).ok()
    assert (report["observed_revocations"], report["overdue_revocations"]) == (0, 1)


def test_fault_11_a_fault_in_the_bookkeeping_of_nodes_breaks_no_judgement(desk: Desk, control_plane: ControlPlane) -> None:
    first, second = desk.issue()["token"], desk.issue()["token"]
    desk.post("/v1/tokens/revoke", {"token": first}).ok()
    for table in ("issuer_verifier_nodes", "issuer_node_presence", "issuer_node_applications", "issuer_slo_reports"):
        desk.break_table(table)
    assert desk.verdict(first) == "revoked"
    assert desk.post("/v1/tokens/revoke", {"token": second}).ok()["status"] == "revoked"
    assert desk.verdict(second) == "revoked"
    assert desk.verdict(desk.issue()["token"]) == "active"
    assert desk.act(desk.active(), "revoke", "stolen").status == 200


def add_rows(desk: Desk, count: int) -> None:
    """Feed rows as a busy day leaves them, each committed a millisecond after the other."""

    def add(tx: Any) -> None:
        for _ in range(count):
            sequence = tx.next("revocations")
            at_ms = desk.clock.now_ms() + sequence
            tx.add(revocations, {
                "sequence": sequence, "kind": "token", "jti": None, "token_hash": f"{sequence:064x}", "exp": NEVER, "dimension": None,
                "value": None, "not_before": None, "cutoff_id": None, "locked": 0, "kid": None, "org_id": None, "owner_did": None,
                "reason": "", "revoked_by": "op", "revoked_at": at_ms // 1000, "committed_at_ms": at_ms, "event_key": str(sequence),
            })  # fmt: skip

    desk.within(lambda: desk.database.transact(add))


def test_fault_12_a_report_takes_no_more_memory_for_more_rows(desk: Desk) -> None:
    peaks = []
    for rows in (2_000, 8_000):
        add_rows(desk, rows)
        desk.within(desk.served.application.issuer.look)
        desk.move(60)
        tracemalloc.start()
        started = time.monotonic()
        report = desk.served.operator.get(SLO).ok()
        assert time.monotonic() - started < 20
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert report["total_revocations"] == 10_000
    assert peaks[1] < 1.5 * peaks[0]
