"""Preflight: every denial by name, equal bytes, and a pass that means an issue succeeds (tokens.md §7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.control_plane import ControlPlane
from tests.fakes.ports import MemoryPolicies
from tests.http.client import Answer
from tests.http.serving import MakeServer, Served
from tests.http.test_issue_canonical import OTHER, setting
from tests.http.tiers import ISSUER_TOKEN, READER_TOKEN
from tests.http.tokens import CANONICAL, LEGACY, PIN, canonical, control_token, request, unique

PATH = "/v1/capabilities/preflight"


def asked(**changes: Any) -> dict[str, Any]:
    """A legacy preflight that passes."""
    return request(**({"reason": "a test", "evidence_required": [], "lane": "legacy"} | changes))


def ask(served: Served, **changes: Any) -> Answer:
    """Preflight as the operator."""
    return served.operator.post(PATH, asked(**changes))


def test_pass_shows_what_would_be_granted(tiered: Served) -> None:
    body = ask(tiered, evidence_required=["ticket"]).ok()
    assert (body["preflight_version"], body["decision"], body["allowed"], body["reason_code"], body["denials"]) == (
        "1",
        "preflight_pass",
        True,
        "ALLOWED",
        [],
    )
    assert body["would_grant"] == {
        "scope": ["proxy:call"], "token_scope_hash_b64u": "cUp29jLmfEilCbCsFIzAnc_Ic-SpvWRNzoX-XpDC6ZY", "max_ttl_sec": 3600,
        "evidence_required": ["ticket"],
    }  # fmt: skip
    assert (body["policy"]["policy_version"], body["policy"]["policy_tier"]) == ("7", "default")
    assert set(body) == {
        "preflight_version",
        "decision",
        "allowed",
        "reason_code",
        "denials",
        "request_digest_b64u",
        "would_grant",
        "policy",
    }


def test_denial_is_shown_whole(tiered: Served) -> None:
    body = ask(tiered, scope=["foo:bar", "proxy:call"]).ok()
    assert (body["decision"], body["allowed"], body["reason_code"]) == ("preflight_fail", False, "DENIED_SCOPE")
    assert body["denials"] == [{"code": "DENIED_SCOPE", "field": "scope", "cause": "SCOPE_NOT_ALLOWED", "value": "foo:bar",
                                "rule": "tier default: allowed_scope_prefixes", "suggestion": "drop foo:bar"}]  # fmt: skip
    assert body["would_grant"]["scope"] == ["proxy:call"]


DENIALS: list[tuple[dict[str, Any], str, str]] = [
    ({"scope": ["foo:bar"]}, "DENIED_SCOPE", "SCOPE_NOT_ALLOWED"), ({"scope": ["proxy:*"]}, "DENIED_WILDCARD",
    "SCOPE_WILDCARD_NOT_ALLOWED"),
    ({"ttl_sec": 9999}, "DENIED_TTL", "TTL_TOO_LONG"), ({"tier": "audiences"}, "DENIED_AUDIENCE", "AUDIENCE_NOT_ALLOWED"),
    ({"tier": "nosuch"}, "DENIED_TIER", "TIER_UNKNOWN"), ({"scope": ["control:x"]}, "DENIED_LANE", "LEGACY_SENSITIVE_SCOPE_FORBIDDEN"),
    ({"tier": "thrifty", "spend_cap": 2}, "DENIED_SPEND_CAP", "SPEND_CAP_TOO_HIGH"), ({"lane": "canonical"}, "DENIED_CHAIN",
    "CANONICAL_CHAIN_REQUIRED"),
    ({"lane": "canonical", "agent_did": OTHER}, "DENIED_CHAIN", "CANONICAL_AGENT_SUB_MISMATCH"),
    ({"tier": "pinned"}, "DENIED_POLICY", "POLICY_PIN_REQUIRED"), ({"policy_hash_b64u": "B" * 42 + "A"}, "DENIED_POLICY", "POLICY_UNKNOWN"),
    ({"tier": "run"}, "DENIED_BINDING", "BINDING_REQUIRED"), ({"tier": "proven", "scope": ["proxy:pay"]}, "DENIED_EVIDENCE",
    "EVIDENCE_REQUIRED"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code", "cause"), DENIALS, ids=[f"{d[2]}" for d in DENIALS])
def test_each_cause_has_its_denial(tiered: Served, changes: dict[str, Any], code: str, cause: str) -> None:
    body = ask(tiered, **changes).ok()
    assert (body["reason_code"], body["denials"][0]["cause"], body["decision"]) == (code, cause, "preflight_fail")
    issuing = {name: value for name, value in asked(**changes).items() if name not in ("reason", "lane")}
    route = CANONICAL if changes.get("lane") == "canonical" else LEGACY
    assert tiered.operator.post(route, issuing).refusal[1] == cause


CHAIN_DENIALS = [
    (setting("chain", "active", value=False), {}, "DENIED_CHAIN", "CONTROL_CHAIN_INACTIVE"),
    (setting("owner_did", value=OTHER), {}, "DENIED_CHAIN", "CONTROL_CHAIN_OWNER_MISMATCH"),
    (setting("chain", "agent_did", value=OTHER), {}, "DENIED_CHAIN", "CONTROL_CHAIN_CONTEXT_MISMATCH"),
    (setting("chain", "transfer_state", value="transfer_pending"), {"scope": ["control:token:revoke"]}, "DENIED_CHAIN",
    "CONTROLLER_TRANSFER_FROZEN"),
    (setting("controller", "policy", "allowed_sensitive_scopes", value=[]), {"scope": ["control:token:revoke"]}, "DENIED_SENSITIVE",
     "SENSITIVE_SCOPE_NOT_ALLOWED"),
    (setting("status", value="ok"), {"control_plane_policy_hash_b64u": PIN}, "DENIED_POLICY", "CONTROL_POLICY_HASH_MISMATCH"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "more", "code", "cause"), CHAIN_DENIALS, ids=[case[3] for case in CHAIN_DENIALS])
def test_faults_of_the_chain_are_denials(
    dev: Served, control_plane: ControlPlane, change: Any, more: dict[str, Any], code: str, cause: str
) -> None:
    chain = control_plane.chain(change)
    body = ask(dev, lane="canonical", **(chain.members | more)).ok()
    assert (body["reason_code"], body["denials"][0]["cause"]) == (code, cause)


def test_unknown_chain_is_a_denial_and_a_failed_dependency_is_not(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    control_plane.script(chain, 500, b"{}")
    assert ask(dev, lane="canonical", **chain.members).refusal == (502, "CONTROL_CHAIN_LOOKUP_FAILED")
    control_plane.forget(chain)
    body = ask(dev, lane="canonical", **chain.members).ok()
    assert (body["reason_code"], body["denials"][0]["cause"]) == ("DENIED_CHAIN", "CONTROL_CHAIN_NOT_FOUND")


def test_approval_alone_is_its_own_decision(tiered: Served) -> None:
    body = ask(tiered, tier="watched", scope=["proxy:pay:x", "proxy:call"]).ok()
    assert (body["decision"], body["allowed"], body["reason_code"]) == ("requires_approval", False, "DENIED_APPROVAL")
    assert body["denials"][0]["cause"] == "APPROVAL_REQUIRED"
    worse = ask(tiered, tier="watched", scope=["proxy:pay:x", "foo:bar"]).ok()
    assert (worse["decision"], worse["reason_code"]) == ("preflight_fail", "DENIED_SCOPE")


def test_caller_and_lock_are_judged_too(tiered: Served) -> None:
    caller = tiered.bearing(ISSUER_TOKEN)
    body = caller.post(PATH, asked(scope=["proxy:stop"])).ok()
    assert (body["reason_code"], body["denials"][0]["cause"]) == ("DENIED_ISSUER", "ISSUER_SCOPE_EXCEEDED")
    assert caller.post(PATH, asked(tier="short")).ok()["denials"][0]["cause"] == "TIER_NOT_ALLOWED"
    run = unique("run")
    tiered.operator.post("/v1/revocations/cutoffs", {"dimension": "run_id", "value": run, "reason": "x", "lock": True}).ok()
    body = ask(tiered, run_id=run).ok()
    assert (body["reason_code"], body["denials"][0]["cause"]) == ("DENIED_CUT_OFF", "SUBJECT_CUT_OFF")


def test_all_denials_come_in_the_order_of_issue(tiered: Served) -> None:
    body = ask(tiered, tier="strictest", scope=["foo:*", "foo:bar"], aud="https://c.example", spend_cap=2, ttl_sec=61).ok()
    causes = [denial["cause"] for denial in body["denials"]]
    unique_causes = list(dict.fromkeys(causes))
    assert unique_causes == ["SCOPE_WILDCARD_NOT_ALLOWED", "SCOPE_NOT_ALLOWED", "AUDIENCE_NOT_ALLOWED", "SPEND_CAP_TOO_HIGH",
    "BINDING_REQUIRED",
                             "POLICY_PIN_REQUIRED", "TTL_TOO_LONG"]  # fmt: skip
    assert body["reason_code"] == "DENIED_WILDCARD"
    assert body["would_grant"]["scope"] == []


def test_disabled_lane_is_denied(make_server: MakeServer) -> None:
    body = ask(make_server({"legacy_exchange_mode": "disabled"})).ok()
    assert (body["reason_code"], body["denials"][0]["cause"]) == ("DENIED_LANE", "LEGACY_EXCHANGE_DISABLED")


def test_equal_requests_give_equal_bytes(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    first, second = (ask(dev, lane="canonical", **chain.members, scope=["foo:a", "proxy:b"]) for _ in range(2))
    assert first.raw == second.raw
    other = ask(dev, lane="canonical", **chain.members, scope=["foo:a", "proxy:c"])
    assert other.json["request_digest_b64u"] != first.json["request_digest_b64u"]
    assert other.json["policy"]["policy_digest_b64u"] == first.json["policy"]["policy_digest_b64u"]


def test_policy_digest_moves_with_what_the_decision_stands_on(
    make_server: MakeServer, control_plane: ControlPlane, policy_text: str, tmp_path: Path
) -> None:
    path = tmp_path / "tiers.json"
    path.write_text(policy_text)
    served = make_server({"policy_file": str(path)}, policies=MemoryPolicies(PIN))
    chain = control_plane.chain()
    run = unique("run")
    seen = []

    def digest() -> str:
        return str(ask(served, lane="canonical", run_id=run, **chain.members).ok()["policy"]["policy_digest_b64u"])

    seen.append(digest())
    control_plane.serve(chain, setting("chain", "transfer_state", value="transfer_pending"))
    seen.append(digest())
    served.operator.post("/v1/revocations/cutoffs", {"dimension": "run_id", "value": run, "reason": "x", "lock": True}).ok()
    seen.append(digest())
    path.write_text(json.dumps(json.loads(policy_text) | {"version": "8"}))
    seen.append(digest())
    assert len(set(seen)) == 4


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reason": ""}, "INVALID_REQUEST"), ({"reason": " "}, "INVALID_REQUEST"), ({"reason": "x" * 2049}, "INVALID_REQUEST"),
        ({"exp": 1}, "INVALID_REQUEST"),
        ({"lane": "gold"}, "INVALID_REQUEST"), ({"evidence_required": "x"}, "INVALID_REQUEST"), ({"scope": []}, "INVALID_REQUEST"),
        ({"scope": ["a b"]}, "SCOPE_INVALID"), ({"ttl_sec": 0}, "INVALID_TTL"), ({"sub": "x"}, "SUB_INVALID"), ({"surprise": 1},
        "INVALID_REQUEST"),
        ({"spend_cap": -1}, "SPEND_CAP_INVALID"), ({"delegation_id": "d"}, "DELEGATION_CANONICAL_REQUIRED"),
    ],
)  # fmt: skip
def test_malformed_request_is_refused_as_at_issue(dev: Served, changes: dict[str, Any], code: str) -> None:
    assert ask(dev, **changes).refusal == (400, code)


@pytest.mark.parametrize("gone", ["scope", "reason", "evidence_required"])
def test_required_members_are_required(dev: Served, gone: str) -> None:
    body = {name: value for name, value in asked().items() if name != gone}
    assert dev.operator.post(PATH, body).refusal == (400, "INVALID_REQUEST")


def test_callers_are_issuers_or_live_tokens(tiered: Served, control_plane: ControlPlane) -> None:
    assert tiered.anyone.post(PATH, asked()).refusal == (401, "UNAUTHORIZED")
    assert tiered.bearing(READER_TOKEN).post(PATH, asked()).refusal == (403, "FORBIDDEN")
    assert tiered.cst("a.b.c").post(PATH, asked()).refusal == (401, "TOKEN_MALFORMED")
    chain = control_plane.chain()
    text = control_token(tiered, control_plane, "control:audit:read", chain=chain)
    bare = {"scope": ["proxy:call"], "reason": "mine", "evidence_required": []}
    assert tiered.cst(text).post(PATH, bare).ok()["decision"] == "preflight_pass"


def test_pass_means_that_an_issue_succeeds(tiered: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    variants = [{"scope": ["control:token:revoke"]}, {"scope": ["proxy:a"]}, {"scope": ["foo:a"]}, {"ttl_sec": 4000}, {"tier": "run"},
    {"tier": "run", "run_id": "r"},
                {"tier": "wild", "scope": ["control:*"]}, {"tier": "watched", "scope": ["proxy:pay:now"]}]  # fmt: skip
    for changes in variants:
        passed = ask(tiered, lane="canonical", **(chain.members | changes)).ok()["allowed"]
        assert canonical(tiered, chain, **changes).status == 200 if passed else canonical(tiered, chain, **changes).status >= 400
        before = len(tiered.operator.get("/v1/audit/issuance", sub=chain.agent_did).ok()["events"])
        ask(tiered, lane="canonical", **(chain.members | changes)).ok()
        assert len(tiered.operator.get("/v1/audit/issuance", sub=chain.agent_did).ok()["events"]) == before
