"""The order of checks at issue: of two faults the first in order answers (tokens.md §2.2)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.fakes.control_plane import ControlPlane
from tests.http.client import Answer
from tests.http.serving import Served
from tests.http.tiers import ISSUER_TOKEN, READER_TOKEN
from tests.http.tokens import CANONICAL, LEGACY, PIN, request, revoke, unique

# (3) of §2.2: fields in table order; each fault alone gives its code.
FIELD_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"tier": ""}, "TIER_UNKNOWN"), ({"sub": "x"}, "SUB_INVALID"), ({"aud": []}, "INVALID_REQUEST"), ({"scope": ["a"] * 65},
    "SCOPE_TOO_LARGE"),
    ({"ttl_sec": 0}, "INVALID_TTL"), ({"exp": 0}, "INVALID_EXP"), ({"owner_did": "x"}, "OWNER_DID_INVALID"),
    ({"controller_did": "x"}, "CONTROLLER_DID_INVALID"), ({"agent_did": "x"}, "AGENT_DID_INVALID"), ({"token_lane": "x"},
    "TOKEN_LANE_INVALID"),
    ({"policy_hash_b64u": "x"}, "POLICY_HASH_INVALID"), ({"control_plane_policy_hash_b64u": "x"}, "CONTROL_POLICY_HASH_INVALID"),
    ({"payment_account_did": "x"}, "PAYMENT_ACCOUNT_CLAIM_INVALID"), ({"spend_cap": -1}, "SPEND_CAP_INVALID"),
    ({"delegator_did": "x"}, "DELEGATOR_DID_INVALID"), ({"delegate_did": "x"}, "DELEGATE_DID_INVALID"),
    ({"delegation_policy_hash_b64u": "x"}, "DELEGATION_POLICY_HASH_INVALID"), ({"delegation_spend_cap_minor": "x"},
    "DELEGATION_SPEND_CAP_INVALID"),
    ({"delegation_expires_at": -1}, "DELEGATION_EXPIRED"), ({"owner_ref": ""}, "INVALID_REQUEST"),
]  # fmt: skip
NEIGHBOURS = list(itertools.pairwise(FIELD_FAULTS))


@pytest.mark.parametrize(("first", "second"), NEIGHBOURS, ids=lambda fault: next(iter(fault[0])))
def test_earlier_field_of_the_table_answers(dev: Served, first: tuple[dict[str, Any], str], second: tuple[dict[str, Any], str]) -> None:
    assert dev.operator.post(LEGACY, request(**second[0], **first[0])).refusal == (400, first[1])
    assert dev.operator.post(CANONICAL, request(**second[0])).refusal == (400, second[1])


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        (["a b"] * 65, "SCOPE_TOO_LARGE"), (["", "x" * 129], "INVALID_REQUEST"), (["x" * 129, "a b"], "SCOPE_ITEM_TOO_LONG"),
        (["a b", "x" * 129], "SCOPE_ITEM_TOO_LONG"), (["foo:*", "a b"], "SCOPE_INVALID"),
    ],
)  # fmt: skip
def test_checks_of_the_scope_list_come_in_order(dev: Served, scope: list[str], code: str) -> None:
    assert dev.operator.post(LEGACY, request(scope=scope)).refusal == (400, code)


def test_caller_comes_before_the_body(tiered: Served) -> None:
    assert tiered.anyone.call("POST", LEGACY, raw=b"{").refusal == (401, "UNAUTHORIZED")
    assert tiered.bearing(READER_TOKEN).call("POST", LEGACY, raw=b"{").refusal == (403, "FORBIDDEN")
    assert tiered.bearing(ISSUER_TOKEN).call("POST", LEGACY, raw=b"{").refusal == (400, "INVALID_JSON")


def test_body_comes_before_the_fields(dev: Served) -> None:
    assert dev.operator.post(LEGACY, request(tier="", surprise=1)).refusal == (400, "INVALID_REQUEST")
    assert dev.operator.post(LEGACY, request(sub="x", spend_cap="text")).refusal == (400, "INVALID_REQUEST")


# (4) and what follows it, on a tier that demands everything. Each step takes one fault away.
DELEGATED = {"delegation_id": "d", "delegator_did": "did:key:zOwner", "delegate_did": "did:key:zAgent"}
STEPS_4: list[tuple[str, str, dict[str, Any], str]] = [
    ("fields before agreement", CANONICAL, {"owner_ref": "", "delegate_did": "did:key:zOther"}, "INVALID_REQUEST"),
    (
        "delegate before delegator",
        CANONICAL,
        {"delegate_did": "did:key:zOther", "delegator_did": "did:key:zO"},
        "DELEGATE_DID_SUB_MISMATCH",
    ),
    ("delegator before lane of route", LEGACY, {"delegator_did": "did:key:zO"}, "DELEGATOR_OWNER_MISMATCH"),
    ("legacy route before incomplete", LEGACY, {"delegation_id": "d", "token_lane": "canonical"}, "DELEGATION_CANONICAL_REQUIRED"),
    ("incomplete before lane", CANONICAL, {"delegation_id": "d", "token_lane": "legacy"}, "DELEGATION_INCOMPLETE"),
    ("cap alone is incomplete", CANONICAL, {"delegation_spend_cap_minor": "5"}, "DELEGATION_INCOMPLETE"),
    ("complete on the legacy route", LEGACY, DELEGATED | {"owner_did": "did:key:zOwner"}, "DELEGATION_CANONICAL_REQUIRED"),
    ("lane before tier", LEGACY, {"token_lane": "canonical", "tier": "nosuch"}, "TOKEN_LANE_MISMATCH"),
    ("lane before tier, canonical", CANONICAL, {"token_lane": "legacy", "tier": "nosuch"}, "TOKEN_LANE_MISMATCH"),
]


@pytest.mark.parametrize(("name", "route", "asked", "code"), STEPS_4, ids=[step[0] for step in STEPS_4])
def test_agreement_of_fields_is_judged_in_order(dev: Served, name: str, route: str, asked: dict[str, Any], code: str) -> None:
    assert dev.operator.post(route, request(**asked)).refusal == (400, code)


def test_fault_07_lane_word_on_the_legacy_route_opens_no_delegation(dev: Served) -> None:
    asked = request(**DELEGATED, owner_did="did:key:zOwner", token_lane="canonical")
    assert dev.operator.post(LEGACY, asked).refusal == (400, "DELEGATION_CANONICAL_REQUIRED")
    assert dev.operator.post(LEGACY, request(token_lane="canonical")).refusal == (400, "TOKEN_LANE_MISMATCH")
    assert dev.operator.post(LEGACY, request(token_lane="legacy")).ok()["token_lane"] == "legacy"


def test_tier_lifetime_lane_approval_and_lock_are_judged_in_order(tiered: Served, control_plane: ControlPlane) -> None:
    """Steps 5, 6, 7, 9, 10: every fault at once, then one fewer each time."""
    chain = control_plane.chain(allowed=())
    run = unique("run")
    cut = {"dimension": "run_id", "value": run, "reason": "order", "lock": True}
    assert tiered.operator.post("/v1/revocations/cutoffs", cut).status == 200
    asked = request(
        sub=chain.agent_did, tier="nosuch", scope=["proxy:*", "foo:bar"], aud="https://c.example", spend_cap=2, ttl_sec=61,
        policy_hash_b64u=None, run_id=None, agent_did="did:key:zOther",
    )  # fmt: skip
    asked = {name: value for name, value in asked.items() if value is not None}

    def answer(**changes: Any) -> str:
        asked.update(changes)
        return tiered.operator.post(CANONICAL, asked).refusal[1]

    assert answer() == "TIER_UNKNOWN"
    assert answer(tier="strictest") == "SCOPE_WILDCARD_NOT_ALLOWED"
    assert answer(scope=["foo:bar"]) == "SCOPE_NOT_ALLOWED"
    assert answer(scope=["proxy:call", "control:token:revoke"]) == "AUDIENCE_NOT_ALLOWED"
    assert answer(aud="https://a.example") == "SPEND_CAP_TOO_HIGH"
    assert answer(spend_cap=1) == "BINDING_REQUIRED"
    assert answer(run_id=run) == "POLICY_PIN_REQUIRED"
    assert answer(policy_hash_b64u="B" * 42 + "A") == "POLICY_UNKNOWN"
    assert answer(policy_hash_b64u=PIN) == "EVIDENCE_REQUIRED"
    assert answer(evidence_required=["ticket"]) == "TTL_TOO_LONG"
    assert answer(ttl_sec=60) == "CANONICAL_AGENT_SUB_MISMATCH"
    assert answer(agent_did=chain.agent_did) == "CANONICAL_CHAIN_REQUIRED"
    assert answer(owner_did=chain.owner_did, controller_did=chain.controller_did) == "SENSITIVE_SCOPE_NOT_ALLOWED"
    control_plane.serve(chain)
    assert answer() == "APPROVAL_REQUIRED"
    assert answer(scope=["proxy:call"]) == "SUBJECT_CUT_OFF"
    asked["run_id"] = unique("free")
    assert tiered.operator.post(CANONICAL, asked).ok()["claims"]["run_id"] == asked["run_id"]


def test_grants_of_the_caller_come_between_lane_and_approval(tiered: Served, api_tokens: Any) -> None:
    caller = tiered.bearing(api_tokens.add("ats_watched", "tokens:issue", tiers=("watched", "exact"), cst_scopes=("proxy:call",)))

    def answer(**changes: Any) -> Answer:
        return caller.post(LEGACY, request(**changes))

    assert answer(tier="default", scope=["foo:bar"]).refusal == (403, "TIER_NOT_ALLOWED")
    assert answer(tier="watched", scope=["control:x", "proxy:pay:x"]).refusal == (403, "LEGACY_SENSITIVE_SCOPE_FORBIDDEN")
    assert answer(tier="watched", scope=["proxy:pay:x"]).refusal == (403, "ISSUER_SCOPE_EXCEEDED")
    api_tokens.add("ats_watched", "tokens:issue", tiers=("watched",), cst_scopes=("proxy:*",))
    assert answer(tier="watched", scope=["proxy:pay:x"]).refusal == (403, "APPROVAL_REQUIRED")


def test_refused_issue_leaves_no_row(dev: Served) -> None:
    run = unique("run")
    assert dev.operator.post(LEGACY, request(run_id=run, ttl_sec=99_999)).refusal == (400, "TTL_TOO_LONG")
    assert dev.operator.get("/v1/audit/issuance", run_id=run).ok()["events"] == []
    assert revoke(dev, jti="no-such").ok()["known"] is False
