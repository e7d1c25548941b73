"""Every act and every refusal leaves its event, with its true code (tokens.md §13)."""

from __future__ import annotations

import json
import time
from typing import Any

import pysqlite3
import pytest

from tests.fakes.control_plane import ControlPlane
from tests.http.receipts import receipt, redeem
from tests.http.serving import MakeServer, Served
from tests.http.tokens import control_token, exchange, introspect, legacy, revoke, token, unique


@pytest.fixture(scope="module")
def told(make_server: MakeServer) -> Served:
    """A server in the default mode."""
    return make_server({"protected_auth_mode": "either"})


def events(served: Served) -> list[tuple[str, dict[str, Any]]]:
    """Names and members of the events in the outbox, in order."""
    connection = pysqlite3.connect(str(served.data / "clawscope.db"))
    rows = connection.execute("SELECT name, data FROM outbox ORDER BY position").fetchall()
    connection.close()
    return [(name, json.loads(data)) for name, data in rows]


def newest(served: Served, name: str) -> dict[str, Any]:
    """The newest event of a name."""
    return [data for found, data in events(served) if found == f"issuer.{name}.v1"][-1]


def test_acts_leave_events_in_their_transaction(told: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    issued = legacy(told, run_id="r", mission_id="m").ok()
    data = newest(told, "token_issued")
    expected = {
        "actor": "operator:dev",
        "route": "POST /v1/tokens/issue",
        "token_hash": issued["token_hash"],
        "jti": issued["jti"],
        "run_id": "r",
        "mission_id": "m",
    }
    assert expected.items() <= data.items()
    child = exchange(told, issued["token"]).ok()
    assert newest(told, "token_exchanged")["jti"] == child["jti"]
    revoke(told, jti=issued["jti"]).ok()
    assert newest(told, "token_revoked")["jti"] == issued["jti"]
    body = told.operator.post("/v1/revocations/cutoffs", {"dimension": "run_id", "value": unique("r"), "reason": "x", "lock": True}).ok()
    assert newest(told, "subjects_cut_off")["sequence"] == body["sequence"]
    told.operator.call("DELETE", f"/v1/revocations/cutoffs/{body['cutoff_id']}").ok()
    assert newest(told, "cutoff_lifted")["cutoff_id"] == body["cutoff_id"]
    asked = {**chain.members, "aud": "a", "scope": ["proxy:call"], "reason": "x", "evidence_required": []}
    approval = told.operator.post("/v1/approvals", asked).ok(201)["approval_id"]
    assert newest(told, "approval_requested")["approval_id"] == approval
    made = told.operator.post(f"/v1/approvals/{approval}/decision", {"decision": "approve", "reason": "x"}).ok()
    assert newest(told, "approval_decided")["approval_id"] == approval
    redeem(told.operator, made).ok()
    assert newest(told, "approval_exchanged")["receipt_id"] == made["payload"]["receipt_id"]
    told.operator.get("/v1/audit/bundle").ok()
    assert newest(told, "audit_exported")["actor"] == "operator:dev"


def test_fault_18_refusals_keep_their_code_and_leave_an_event(told: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    told.anyone.post("/v1/tokens/issue", {})
    assert newest(told, "token_issue_denied")["code"] == "UNAUTHORIZED"
    refused = legacy(told, ttl_sec=99_999)
    data = newest(told, "token_issue_denied")
    assert (data["code"], data["status"], data["actor"]) == ("TTL_TOO_LONG", 400, "operator:dev")
    assert data["request_id"] == refused.headers["x-clawscope-request-id"]
    exchange(told, token(told), scope="proxy:stop")
    assert newest(told, "token_exchange_denied")["code"] == "EXCHANGE_SCOPE_WIDENED"
    redeem(told.operator, receipt(told, chain, approval_type="explicit_deny"))
    assert newest(told, "approval_refused")["code"] == "HUMAN_APPROVAL_NOT_GRANTED"
    for client, code in (
        (told.anyone, "TOKEN_REQUIRED"), (told.cst("a.b.c"), "TOKEN_MALFORMED"), (told.cst(token(told)), "TOKEN_CONTROL_CHAIN_MISSING"),
        (told.cst(control_token(told, control_plane, "control:token:revoke")), "TOKEN_INSUFFICIENT_SCOPE"),
    ):  # fmt: skip
        client.get("/v1/audit/issuance")
        assert newest(told, "access_denied")["code"] == code


def test_event_names_its_trace(told: Served) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    client = told.operator.with_headers(traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    answer = client.post("/v1/tokens/issue", {"sub": "sa:x", "aud": "a", "scope": ["proxy:call"]})
    assert answer.headers["x-trace-id"] == trace
    assert newest(told, "token_issued")["trace_id"] == trace


def test_reading_goes_through_the_buffer_and_not_the_store(told: Served) -> None:
    text = token(told)
    before = events(told)
    introspect(told, text)
    introspect(told, "a.b.c")
    told.anyone.post("/v1/tokens/introspect/matrix", {"token": text})
    assert events(told) == before
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        page = told.operator.get("/metrics").raw.decode()
        if "token_introspect_denied" in page and "token_introspected" in page and "token_matrix_read" in page:
            break
        time.sleep(0.05)
    assert "token_introspected" in page
    assert "TOKEN_MALFORMED" in page


def test_no_event_holds_a_token(told: Served) -> None:
    texts = [token(told) for _ in range(3)]
    exchange(told, texts[0]).ok()
    revoke(told, token=texts[1]).ok()
    dumped = json.dumps(events(told))
    for text in texts:
        assert text not in dumped
        assert text.rpartition(".")[2] not in dumped
