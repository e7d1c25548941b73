"""Approvals from asking to the receipt (tokens.md §8)."""

from __future__ import annotations

from typing import Any

import pytest

from clawscope.kernel.clock import ManualClock
from clawscope.protocol.approval import Receipt, open_receipt
from clawscope.protocol.did import did_key
from tests.fakes.control_plane import Chain, ControlPlane
from tests.http.client import Answer
from tests.http.receipts import redeem
from tests.http.serving import MakeServer, Served
from tests.http.tiers import ISSUER_TOKEN, READER_TOKEN
from tests.http.tokens import AUDIENCE, PIN, introspect, unique

PATH = "/v1/approvals"


def ask(served: Served, chain: Chain, **changes: Any) -> Answer:
    """Ask for an approval."""
    body = {**chain.members, "aud": AUDIENCE, "scope": ["proxy:pay:now"], "reason": "pay the bill", "evidence_required": []} | changes
    return served.operator.post(PATH, body)


def decide(served: Served, approval_id: str, decision: str = "approve", **more: Any) -> Answer:
    """Decide as the operator."""
    return served.operator.post(f"{PATH}/{approval_id}/decision", {"decision": decision, "reason": "fine", **more})


def test_request_is_stored_listed_and_shown(tiered: Served, control_plane: ControlPlane) -> None:
    answer = ask(tiered, control_plane.chain(), run_id="r")
    body = answer.ok(201)
    assert body["approval_id"].startswith("apv_")
    assert body == {"approval_id": body["approval_id"], "state": "pending"}
    shown = tiered.operator.get(f"{PATH}/{body['approval_id']}").ok()
    assert (shown["state"], shown["requested_by"], shown["expires_at"] - shown["created_at"]) == ("pending", "operator:dev", 86400)
    assert shown["request"]["scope"] == ["proxy:pay:now"]
    newest = tiered.operator.get(PATH, state="pending", limit=1).ok()["items"][0]
    assert newest["approval_id"] == body["approval_id"]


def test_list_pages_by_state(make_server: MakeServer, control_plane: ControlPlane) -> None:
    served = make_server()
    ids = [ask(served, control_plane.chain()).ok(201)["approval_id"] for _ in range(5)]
    decide(served, ids[0]).ok()
    decide(served, ids[1], "deny").ok()
    assert [item["approval_id"] for item in served.operator.get(PATH, state="approved").ok()["items"]] == ids[:1]
    assert [item["approval_id"] for item in served.operator.get(PATH, state="denied").ok()["items"]] == ids[1:2]
    page = served.operator.get(PATH, limit=3).ok()
    more = served.operator.get(PATH, limit=3, cursor=page["cursor"]).ok()
    assert [item["approval_id"] for item in page["items"] + more["items"]] == ids[::-1]
    assert (page["list_complete"], more["list_complete"], more["cursor"]) == (False, True, None)
    assert served.operator.get(PATH, state="lost").refusal == (400, "INVALID_QUERY")
    assert served.operator.get(PATH, state="pending", cursor=page["cursor"]).refusal == (400, "INVALID_CURSOR")


def test_approval_answers_a_receipt_that_mints_once(tiered: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    asked: dict[str, Any] = {"run_id": "r", "policy_hash_b64u": PIN, "spend_cap": 1.5, "evidence_required": ["ticket"], "ttl_sec": 300}
    approval_id = ask(tiered, chain, **asked).ok(201)["approval_id"]
    receipt = decide(tiered, approval_id).ok()
    opened = open_receipt(receipt)
    assert isinstance(opened, Receipt)
    assert opened.signer_did in {did_key(public) for public in tiered.statement_keys.values()}
    wanted = opened.payload
    assert (wanted.approval_type, wanted.scope, wanted.spend_cap, wanted.policy_hash_b64u) == (
        "explicit_approve",
        ("proxy:pay:now",),
        1.5,
        PIN,
    )
    assert wanted.minted_capability_ttl_seconds == 300
    issued = redeem(tiered.operator, receipt).ok()
    claims = issued["claims"]
    assert (claims["scope"], claims["run_id"], claims["policy_hash_b64u"], claims["spend_cap"]) == (["proxy:pay:now"], "r", PIN, 1.5)
    assert issued["exp"] - issued["iat"] == 300
    assert introspect(tiered, issued["token"], run_id="r").ok()["active"] is True
    assert redeem(tiered.operator, receipt).refusal == (409, "HUMAN_APPROVAL_ALREADY_EXCHANGED")
    shown = tiered.operator.get(f"{PATH}/{approval_id}").ok()
    assert (shown["state"], shown["decision"], shown["decided_by"]) == ("approved", "approve", "operator:dev")


def test_denial_is_a_receipt_that_grants_nothing(tiered: Served, control_plane: ControlPlane) -> None:
    receipt = decide(tiered, ask(tiered, control_plane.chain()).ok(201)["approval_id"], "deny").ok()
    assert receipt["payload"]["approval_type"] == "explicit_deny"
    assert redeem(tiered.operator, receipt).refusal == (403, "HUMAN_APPROVAL_NOT_GRANTED")


def test_decided_is_decided(tiered: Served, control_plane: ControlPlane) -> None:
    approval_id = ask(tiered, control_plane.chain()).ok(201)["approval_id"]
    headers = {"Idempotency-Key": unique("key")}
    body = {"decision": "approve", "reason": "fine"}
    first, second = (tiered.operator.call("POST", f"{PATH}/{approval_id}/decision", body, headers=headers) for _ in range(2))
    assert first.status == 200
    assert first.raw == second.raw
    for decision in ("approve", "deny"):
        assert decide(tiered, approval_id, decision).refusal == (409, "APPROVAL_ALREADY_DECIDED")


def test_old_request_cannot_be_decided(make_server: MakeServer, control_plane: ControlPlane) -> None:
    served = make_server({"approval_request_ttl_s": 100}, clock=ManualClock())
    in_time, late = (ask(served, control_plane.chain()).ok(201)["approval_id"] for _ in range(2))
    served.clock.move(99)
    assert decide(served, in_time).status == 200
    served.clock.move(2)
    assert decide(served, late).refusal == (409, "APPROVAL_REQUEST_EXPIRED")


@pytest.mark.parametrize("body", [{}, {"decision": "maybe", "reason": "x"}, {"decision": "approve"}, {"decision": "approve", "reason": " "},
                                  {"decision": "approve", "reason": "x", "ttl_sec": 0}, {"decision": "approve", "reason": "x",
                                  "ttl_sec": "1"},
                                  {"decision": "approve", "reason": "x", "ttl_sec": 901}, {"decision": "approve", "reason": "x",
                                  "more": 1}])  # fmt: skip
def test_ill_formed_decision_is_refused(dev: Served, control_plane: ControlPlane, body: Any) -> None:
    approval_id = ask(dev, control_plane.chain()).ok(201)["approval_id"]
    assert dev.operator.post(f"{PATH}/{approval_id}/decision", body).refusal == (400, "INVALID_REQUEST")


def test_who_may_ask_list_and_decide(tiered: Served, control_plane: ControlPlane) -> None:
    approval_id = ask(tiered, control_plane.chain()).ok(201)["approval_id"]
    for client, status in ((tiered.anyone, 401), (tiered.bearing(READER_TOKEN), 403), (tiered.bearing(ISSUER_TOKEN), 403)):
        assert client.get(PATH).status == status
        assert client.post(f"{PATH}/{approval_id}/decision", {"decision": "approve", "reason": "x"}).status == status
    assert tiered.anyone.post(PATH, {}).refusal == (401, "UNAUTHORIZED")
    assert tiered.operator.get(f"{PATH}/apv_nobody").refusal == (404, "NOT_FOUND")
    assert decide(tiered, "apv_nobody").refusal == (404, "NOT_FOUND")


def test_malformed_request_is_refused_as_at_preflight(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    assert ask(dev, chain, reason="").refusal == (400, "INVALID_REQUEST")
    assert ask(dev, chain, scope=["a b"]).refusal == (400, "SCOPE_INVALID")
    assert ask(dev, chain, surprise=1).refusal == (400, "INVALID_REQUEST")
