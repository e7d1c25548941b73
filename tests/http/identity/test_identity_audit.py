"""The audit chain over HTTP (identity.md §11)."""

from __future__ import annotations

import hashlib

from clawscope.identity.domain.audit import AuditRow, first_fault
from clawscope.kernel.secret import Secret
from tests.http.identity.people import Desk, person
from tests.http.identity.serving import MakeIdentity


def test_every_change_leaves_one_row_of_a_gapless_chain(make_identity: MakeIdentity) -> None:
    desk = Desk(make_identity())
    owner, controller, agent = desk.family()
    desk.revoke(agent, reason="lost")
    rows = desk.audit()
    assert [row["event_type"] for row in reversed(rows)] == [
        "binding.bound",
        "binding.bound",
        "binding.bound",
        "controller_registered",
        "controller_agent_registered",
        "binding.revoked",
    ]
    assert [row["sequence"] for row in rows] == [6, 5, 4, 3, 2, 1]
    chain = [AuditRow(**row) for row in reversed(rows)]
    assert first_fault(chain) is None
    assert rows[0]["details"] == {**rows[0]["details"], "reason": "lost", "chains_inactive": 1}
    told = [*desk.outbox("identity.binding_bound.v1"), *desk.outbox("identity.controller_registered.v1")]
    assert [one["subject_did"] for one in told] == [owner.did, controller.did, agent.did, controller.did]


def test_a_refusal_changes_nothing_and_leaves_no_row(make_identity: MakeIdentity) -> None:
    desk = Desk(make_identity())
    one = person()
    body = {"did": one.did, "challenge_id": desk.own_challenge(one.did)["challenge_id"], "signature_b64u": "A" * 86}
    desk.client.post("/v1/bind", body)
    assert desk.audit() == []


def test_the_audit_is_read_by_permission_only(desk: Desk) -> None:
    assert desk.client.get("/v1/bindings/audit").refusal == (401, "UNAUTHORIZED")
    assert desk.client.with_headers(Authorization="Bearer x").get("/v1/bindings/audit").refusal == (403, "FORBIDDEN")


def test_rows_are_filtered_and_paged(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    auditor = desk.served.auditor
    rows = desk.audit(event_type="binding.bound", subject_did=agent.did)
    assert [row["actor_did"] for row in rows] == [agent.did]
    assert desk.audit(subject_did=controller.did)[0]["actor_did"] == owner.did
    first = auditor.get("/v1/bindings/audit", limit=1, event_type="binding.bound").ok()
    second = auditor.get("/v1/bindings/audit", limit=1, event_type="binding.bound", cursor=first["cursor"]).ok()
    assert first["events"][0]["sequence"] > second["events"][0]["sequence"]
    assert first["legacy_binding_events"] == []
    assert auditor.get("/v1/bindings/audit", cursor=first["cursor"]).refusal == (400, "INVALID_CURSOR")
    assert auditor.get("/v1/bindings/audit", limit="many").refusal == (400, "INVALID_QUERY")


def test_an_export_names_bytes_that_never_change(desk: Desk) -> None:
    desk.family()
    auditor = desk.served.auditor
    for kind in ("csv", "jsonl"):
        told = auditor.get("/v1/bindings/audit/export", _format=kind, limit=3).ok()
        desk.bind(person())
        read = auditor.get(f"/v1/bindings/audit/export/{told['key']}")
        assert (told["status"], told["rows"], told["format"]) == ("exported", 3, kind)
        assert hashlib.sha256(read.raw).hexdigest() == told["sha256"]
        assert read.raw.count(b"\n") == 3 + (kind == "csv")
    assert auditor.get("/v1/bindings/audit/export", _format="pdf").refusal == (400, "INVALID_EXPORT_FORMAT")
    assert auditor.get("/v1/bindings/audit/export", surplus="1").refusal == (400, "INVALID_QUERY")
    assert auditor.get("/v1/bindings/audit/export/binding-audit/999999-1.csv").refusal == (404, "NOT_FOUND")
    assert desk.client.get("/v1/bindings/audit/export").refusal == (401, "UNAUTHORIZED")


def test_a_delegation_service_learns_whether_both_sides_are_bound(desk: Desk, make_identity: MakeIdentity) -> None:
    path, key = "/v1/delegations/bootstrap", "dk_0123456789abcdefghijklmnop"
    one, two = person(), person()
    body = {"delegator_did": one.did, "delegate_did": two.did}
    assert desk.client.post(path, body).refusal == (503, "DELEGATION_BOOTSTRAP_NOT_CONFIGURED")
    keyed = Desk(make_identity(delegate_key=Secret(key)))
    for wrong in ("", key, f"Basic {key}", f"Bearer {key}x", "Bearer"):
        assert keyed.client.with_headers(Authorization=wrong).post(path, body).refusal == (401, "UNAUTHORIZED")
    client = keyed.client.with_headers(Authorization=f"Bearer {key}")
    assert client.post(path, body).refusal == (403, "DELEGATOR_BINDING_REQUIRED")
    keyed.bind(one)
    assert client.post(path, body).refusal == (403, "DELEGATE_BINDING_REQUIRED")
    keyed.bind(two)
    told = client.post(path, body).ok()
    assert (told["ok"], told["result"]["checked_at"]) == (True, keyed.served.clock.now())
    assert len(keyed.audit()) == 2
