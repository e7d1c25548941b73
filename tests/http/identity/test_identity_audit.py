"""The audit chain over HTTP (identity.md §11)."""

from __future__ import annotations

from clawscope.identity.domain.audit import AuditRow, first_fault
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
