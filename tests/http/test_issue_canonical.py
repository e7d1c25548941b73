"""The canonical lane: the chain is proved over HTTP before anything is minted (tokens.md §2.3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.control_plane import Chain, Change, ControlPlane
from tests.http.client import Answer
from tests.http.serving import MakeServer, Served
from tests.http.tokens import ABSENT, CANONICAL, PIN, canonical, request

OTHER = "did:key:zSomebodyElse"


def setting(*path: str, value: Any) -> Change:
    """Set one member of a chain record; `ABSENT` takes it out."""

    def change(record: dict[str, Any]) -> None:
        part = record
        for name in path[:-1]:
            part = part[name]
        if value is ABSENT:
            part.pop(path[-1])
        else:
            part[path[-1]] = value

    return change


def test_canonical_answer_carries_the_proved_chain(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    answer = canonical(dev, chain, aud=["https://a.example"], mission_id="m", run_id="r", spend_cap=1.25).ok()
    expected = {
        "token_lane": "canonical", "owner_did": chain.owner_did, "controller_did": chain.controller_did, "agent_did": chain.agent_did,
        "control_plane_policy_hash_b64u": chain.policy_hash, "mission_id": "m", "run_id": "r", "spend_cap": 1.25,
    }  # fmt: skip
    assert {name: answer[name] for name in expected} == expected
    assert expected.items() <= answer["claims"].items()
    assert set(answer) == {*expected, "token", "token_hash", "token_scope_hash_b64u", "policy_version", "policy_tier", "kid", "iat", "exp",
                           "jti", "claims"}  # fmt: skip
    assert control_plane.asked[-1] == (chain.controller_did, chain.agent_did)


BROKEN_CHAINS: list[tuple[str, Change, tuple[int, str]]] = [
    ("chain inactive", setting("chain", "active", value=False), (403, "CONTROL_CHAIN_INACTIVE")),
    ("controller inactive", setting("controller", "active", value=False), (403, "CONTROL_CHAIN_INACTIVE")),
    ("binding inactive", setting("agent_binding", "active", value=False), (403, "CONTROL_CHAIN_INACTIVE")),
    ("active is a word", setting("chain", "active", value="true"), (403, "CONTROL_CHAIN_INACTIVE")),
    ("active is one", setting("controller", "active", value=1), (403, "CONTROL_CHAIN_INACTIVE")),
    ("active is missing", setting("agent_binding", "active", value=ABSENT), (403, "CONTROL_CHAIN_INACTIVE")),
    ("record of another owner", setting("owner_did", value=OTHER), (403, "CONTROL_CHAIN_OWNER_MISMATCH")),
    ("controller of another owner", setting("controller", "owner_did", value=OTHER), (403, "CONTROL_CHAIN_OWNER_MISMATCH")),
    ("binding of another owner", setting("agent_binding", "owner_did", value=OTHER), (403, "CONTROL_CHAIN_OWNER_MISMATCH")),
    ("chain of another owner", setting("chain", "owner_did", value=OTHER), (403, "CONTROL_CHAIN_OWNER_MISMATCH")),
    ("policy of another owner", setting("controller", "policy", "owner_did", value=OTHER), (403, "CONTROL_CHAIN_OWNER_MISMATCH")),
    ("another controller", setting("controller", "controller_did", value=OTHER), (403, "CONTROL_CHAIN_CONTEXT_MISMATCH")),
    ("chain of another controller", setting("chain", "controller_did", value=OTHER), (403, "CONTROL_CHAIN_CONTEXT_MISMATCH")),
    ("binding of another controller", setting("agent_binding", "controller_did", value=OTHER), (403, "CONTROL_CHAIN_CONTEXT_MISMATCH")),
    ("another agent", setting("agent_binding", "agent_did", value=OTHER), (403, "CONTROL_CHAIN_CONTEXT_MISMATCH")),
    ("chain of another agent", setting("chain", "agent_did", value=OTHER), (403, "CONTROL_CHAIN_CONTEXT_MISMATCH")),
    ("hashes disagree", setting("chain", "policy_hash_b64u", value="B" * 43), (403, "CONTROL_CHAIN_CONTEXT_MISMATCH")),
    ("no chain", setting("chain", value=ABSENT), (502, "CONTROL_CHAIN_LOOKUP_FAILED")),
    ("no binding", setting("agent_binding", value=ABSENT), (502, "CONTROL_CHAIN_LOOKUP_FAILED")),
    ("no controller", setting("controller", value=ABSENT), (502, "CONTROL_CHAIN_LOOKUP_FAILED")),
    ("no policy", setting("controller", "policy", value=ABSENT), (502, "CONTROL_CHAIN_LOOKUP_FAILED")),
    ("policy is a text", setting("controller", "policy", value="x"), (502, "CONTROL_CHAIN_LOOKUP_FAILED")),
    ("scopes are a text", setting("controller", "policy", "allowed_sensitive_scopes", value="*"), (502, "CONTROL_CHAIN_LOOKUP_FAILED")),
]


@pytest.mark.parametrize(("name", "change", "refusal"), BROKEN_CHAINS, ids=[case[0] for case in BROKEN_CHAINS])
def test_fault_10_self_contradicting_chain_record_mints_nothing(
    dev: Served, control_plane: ControlPlane, name: str, change: Change, refusal: tuple[int, str]
) -> None:
    assert canonical(dev, control_plane.chain(change)).refusal == refusal


Script = Callable[[ControlPlane, Chain], None]
UPSTREAM: list[tuple[str, Script, tuple[int, str], Any]] = [
    ("unknown", lambda plane, chain: plane.forget(chain), (404, "CONTROL_CHAIN_NOT_FOUND"),
     {"upstream_status": 404, "upstream_error": "CONTROLLER_NOT_FOUND", "upstream_message": "unknown controller"}),
    ("fails", lambda plane, chain: plane.script(chain, 500, b'{"error":"X","message":"y"}'), (502, "CONTROL_CHAIN_LOOKUP_FAILED"),
     {"upstream_status": 500, "upstream_error": "X", "upstream_message": "y"}),
    ("not JSON", lambda plane, chain: plane.script(chain, 200, b"<html>"), (502, "CONTROL_CHAIN_LOOKUP_FAILED"), {"upstream_status": 200}),
    ("redirects", lambda plane, chain: plane.script(chain, 302, b""), (502, "CONTROL_CHAIN_LOOKUP_FAILED"), {"upstream_status": 302}),
    ("huge", lambda plane, chain: plane.script(chain, 200, b" " * 5_000_000), (502, "CONTROL_CHAIN_LOOKUP_FAILED"),
    {"upstream_status": 200}),
    ("a list", lambda plane, chain: plane.script(chain, 200, b"[]"), (502, "CONTROL_CHAIN_LOOKUP_FAILED"), {"upstream_status": 200}),
    ("not ok JSON error", lambda plane, chain: plane.script(chain, 503, json.dumps({"error": 5}).encode()), (502,
    "CONTROL_CHAIN_LOOKUP_FAILED"),
     {"upstream_status": 503}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "script", "refusal", "details"), UPSTREAM, ids=[case[0] for case in UPSTREAM])
def test_failed_lookup_tells_what_identity_answered(
    dev: Served, control_plane: ControlPlane, name: str, script: Script, refusal: tuple[int, str], details: Any
) -> None:
    chain = control_plane.chain()
    script(control_plane, chain)
    answer = canonical(dev, chain)
    assert answer.refusal == refusal
    assert answer.json["details"] == details


def test_slow_and_unreachable_identity_is_a_failed_lookup(make_server: MakeServer, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    control_plane.script(chain, 200, b"{}", hangs=True)
    slow = make_server({"chain_lookup_timeout_ms": 50})
    answer = canonical(slow, chain)
    assert answer.refusal == (502, "CONTROL_CHAIN_LOOKUP_FAILED")
    assert answer.json["details"] is None
    gone = make_server({"identity_url": "http://127.0.0.1:9"})
    answer = canonical(gone, chain)
    assert answer.refusal == (502, "CONTROL_CHAIN_LOOKUP_FAILED")
    assert answer.json["details"] is None


def test_without_identity_service_the_lane_is_closed(make_server: MakeServer, control_plane: ControlPlane) -> None:
    served = make_server({"identity_url": None})
    answer = canonical(served, control_plane.chain())
    assert answer.refusal == (503, "CONTROL_PLANE_NOT_CONFIGURED")
    assert int(answer.headers["retry-after"]) <= 2
    assert canonical(served, control_plane.chain(), controller_did=ABSENT).refusal == (400, "CANONICAL_CHAIN_REQUIRED")


@pytest.mark.parametrize("gone", ["owner_did", "controller_did"])
def test_every_link_of_the_chain_is_named(dev: Served, control_plane: ControlPlane, gone: str) -> None:
    assert canonical(dev, control_plane.chain(), **{gone: " "}).refusal == (400, "CANONICAL_CHAIN_REQUIRED")


def test_agent_defaults_to_sub_and_may_be_nobody_else(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    assert canonical(dev, chain, agent_did=chain.agent_did).ok()["agent_did"] == chain.agent_did
    assert canonical(dev, chain, agent_did=OTHER).refusal == (400, "CANONICAL_AGENT_SUB_MISMATCH")
    assert dev.operator.post(CANONICAL, request(agent_did=OTHER)).refusal == (400, "CANONICAL_AGENT_SUB_MISMATCH")


def test_canonical_subject_is_a_did(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    answer = canonical(dev, chain, sub="sa:agent")
    assert answer.status == 400
    assert answer.refusal[1] in ("SUB_INVALID", "AGENT_DID_INVALID", "CANONICAL_AGENT_SUB_MISMATCH", "CANONICAL_CHAIN_REQUIRED")


def sensitive(dev: Served, chain: Chain, *scope: str, **changes: Any) -> Answer:
    """A canonical issue of sensitive scopes."""
    return canonical(dev, chain, scope=list(scope), **changes)


def test_sensitive_scopes_are_allowed_literally_only(tiered: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain(allowed=("control:token:revoke", "control:*"))
    assert sensitive(tiered, chain, "control:token:revoke").ok()
    assert sensitive(tiered, chain, "control:audit:read").refusal == (403, "SENSITIVE_SCOPE_NOT_ALLOWED")
    assert sensitive(tiered, chain, "control:*", tier="wild").ok()
    assert sensitive(tiered, control_plane.chain(allowed=("control:token:revoke",)), "control:*", tier="wild").refusal == (
        403,
        "SENSITIVE_SCOPE_NOT_ALLOWED",
    )


@pytest.mark.parametrize("change", [setting("chain", "transfer_state", value="transfer_pending"),
                                    setting("controller", "transfer_state", value="transfer_pending")])  # fmt: skip
def test_sensitive_scopes_freeze_while_a_transfer_is_pending(dev: Served, control_plane: ControlPlane, change: Change) -> None:
    chain = control_plane.chain(change)
    assert sensitive(dev, chain, "control:token:revoke").refusal == (409, "CONTROLLER_TRANSFER_FROZEN")
    assert canonical(dev, chain).ok()


def test_policy_hash_comes_from_the_record(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    assert canonical(dev, chain, control_plane_policy_hash_b64u=PIN).refusal == (409, "CONTROL_POLICY_HASH_MISMATCH")
    assert (
        canonical(dev, chain, control_plane_policy_hash_b64u=chain.policy_hash).ok()["control_plane_policy_hash_b64u"] == chain.policy_hash
    )


def test_checks_of_the_record_come_in_order(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    faults: list[tuple[str, Change]] = [
        ("CONTROL_CHAIN_INACTIVE", setting("chain", "active", value=False)),
        ("CONTROL_CHAIN_OWNER_MISMATCH", setting("owner_did", value=OTHER)),
        ("CONTROL_CHAIN_CONTEXT_MISMATCH", setting("chain", "agent_did", value=OTHER)),
        ("CONTROLLER_TRANSFER_FROZEN", setting("chain", "transfer_state", value="transfer_pending")),
        ("SENSITIVE_SCOPE_NOT_ALLOWED", setting("controller", "policy", "allowed_sensitive_scopes", value=[])),
    ]
    for first in range(len(faults)):

        def change(record: dict[str, Any], first: int = first) -> None:
            for _, one in faults[first:]:
                one(record)

        control_plane.serve(chain, change)
        answer = sensitive(dev, chain, "control:token:revoke", control_plane_policy_hash_b64u=PIN)
        assert answer.refusal[1] == faults[first][0]
    control_plane.serve(chain)
    answer = sensitive(dev, chain, "control:token:revoke", control_plane_policy_hash_b64u=PIN)
    assert answer.refusal == (409, "CONTROL_POLICY_HASH_MISMATCH")


def test_fault_19_delegated_token_is_good_for_the_verifier(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    trio = {"delegation_id": "dlg_1", "delegator_did": chain.owner_did, "delegate_did": chain.agent_did}
    token = canonical(dev, chain, **trio).ok()["token"]
    answer = dev.anyone.post("/v1/tokens/introspect", {"token": token}).ok()
    assert (answer["active"], answer["delegation_id"], answer["delegate_did"]) == (True, "dlg_1", chain.agent_did)
    assert canonical(dev, chain, **(trio | {"delegate_did": OTHER})).refusal == (400, "DELEGATE_DID_SUB_MISMATCH")
    assert canonical(dev, chain, **(trio | {"delegator_did": OTHER})).refusal == (400, "DELEGATOR_OWNER_MISMATCH")
