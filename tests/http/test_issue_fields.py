"""Single fields of an issue request: both sides of every limit (tokens.md §2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.control_plane import ControlPlane
from tests.http.serving import Served
from tests.http.tokens import ABSENT, PIN, canonical, legacy, unique

DID_512 = "did:web:" + "a" * 504

BAD_SUBJECT = [(" ", "INVALID_REQUEST"), ("", "INVALID_REQUEST"), ("agent", "SUB_INVALID"), (":x", "SUB_INVALID"), ("did:key:",
"SUB_INVALID"),
               ("did:KEY:z1", "SUB_INVALID"), ("sa:ü", "SUB_INVALID"), ("sa:\u0001", "SUB_INVALID"), ("sa:" + "x" * 510, "SUB_INVALID"),
               (ABSENT, "INVALID_REQUEST"), (7, "INVALID_REQUEST"), (None, "INVALID_REQUEST"), (["sa:x"], "INVALID_REQUEST")]  # fmt: skip
GOOD_SUBJECT = ["sa:sa_1", "oidc:https://idp.example|7", "email:ana@example.org", "did:web:a.example:agents:7", "sa:" + "x" * 509]


@pytest.mark.parametrize(("value", "code"), BAD_SUBJECT)
def test_subject_of_bad_shape_is_refused(dev: Served, value: Any, code: str) -> None:
    assert legacy(dev, sub=value).refusal == (400, code)


@pytest.mark.parametrize("value", GOOD_SUBJECT)
def test_subject_of_any_scheme_is_taken_and_trimmed(dev: Served, value: str) -> None:
    assert legacy(dev, sub=f" {value}\t").ok()["claims"]["sub"] == value


@pytest.mark.parametrize(
    "value", ["", " ", [], [""], ["ok", " "], ["a b"], ["a\u00e9"], "x" * 257, [f"a{n}" for n in range(17)], 7, None, {"a": 1}, [7], ABSENT]
)
def test_audience_of_bad_shape_is_refused(dev: Served, value: Any) -> None:
    answer = legacy(dev, aud=value)
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert "aud" in answer.json["detail"]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (" https://a.example ", "https://a.example"),
        (["https://a.example"], ["https://a.example"]),
        (["b", "a", " b "], ["b", "a"]),
        ([f"a{n}" for n in range(16)] * 2, [f"a{n}" for n in range(16)]),
        ("x" * 256, "x" * 256),
    ],
)
def test_audience_is_trimmed_and_duplicates_collapse(dev: Served, value: Any, kept: Any) -> None:
    assert legacy(dev, aud=value).ok()["claims"]["aud"] == kept


BAD_SCOPE = [("proxy:call", "INVALID_REQUEST"), ([], "INVALID_REQUEST"), (["proxy:call", " \t"], "INVALID_REQUEST"), ([7],
"INVALID_REQUEST"),
             (ABSENT, "INVALID_REQUEST"), (["proxy:a"] * 65, "SCOPE_TOO_LARGE"), (["proxy:" + "x" * 123], "SCOPE_ITEM_TOO_LONG"),
             (["proxy:a b"], "SCOPE_INVALID"), (['proxy:"a"'], "SCOPE_INVALID"), (["proxy:a\\b"], "SCOPE_INVALID"),
             (["proxy:\u00e9"], "SCOPE_INVALID"), (["proxy:*:x"], "SCOPE_INVALID"), (["proxy:c*"], "SCOPE_INVALID"), (["**"],
             "SCOPE_INVALID"),
             ([":*"], "SCOPE_INVALID"), (["proxy:*"], "SCOPE_WILDCARD_NOT_ALLOWED"), (["*"], "SCOPE_WILDCARD_NOT_ALLOWED"),
             (["foo:bar"], "SCOPE_NOT_ALLOWED"), (["prox"], "SCOPE_NOT_ALLOWED")]  # fmt: skip


@pytest.mark.parametrize(("value", "code"), BAD_SCOPE)
def test_scope_of_bad_shape_is_refused(dev: Served, value: Any, code: str) -> None:
    assert legacy(dev, scope=value).refusal == (400, code)


def test_scope_limits_are_inclusive_and_duplicates_collapse_onto_the_first(dev: Served) -> None:
    long = "proxy:" + "x" * 122
    assert legacy(dev, scope=[long]).ok()["claims"]["scope"] == [long]
    many = [f"proxy:s{n}" for n in range(64)]
    assert legacy(dev, scope=many).ok()["claims"]["scope"] == many
    answer = legacy(dev, scope=[" clawproxy:call:openai ", "clawproxy:call:anthropic\n", "clawproxy:call:openai"]).ok()
    assert answer["claims"]["scope"] == ["clawproxy:call:openai", "clawproxy:call:anthropic"]
    assert answer["token_scope_hash_b64u"] == "HgdRlMylsnBB6QejpCMRLTskg475Bm2LurT904niSmE"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("tier", "nosuch", "TIER_UNKNOWN"), ("tier", "", "TIER_UNKNOWN"), ("tier", "x" * 65, "TIER_UNKNOWN"), ("tier", 7,
        "INVALID_REQUEST"),
        ("owner_did", "x", "OWNER_DID_INVALID"), ("controller_did", "did:x", "CONTROLLER_DID_INVALID"),
        ("agent_did", "did:web:a#key", "AGENT_DID_INVALID"), ("agent_did", DID_512 + "a", "AGENT_DID_INVALID"),
        ("owner_did", None, "INVALID_REQUEST"), ("owner_did", ["did:key:z1"], "INVALID_REQUEST"),
        ("token_lane", "gold", "TOKEN_LANE_INVALID"), ("token_lane", "", "TOKEN_LANE_INVALID"), ("token_lane", 1, "INVALID_REQUEST"),
        ("token_lane", "canonical", "TOKEN_LANE_MISMATCH"),
        ("policy_hash_b64u", "A" * 42, "POLICY_HASH_INVALID"), ("policy_hash_b64u", "A" * 44, "POLICY_HASH_INVALID"),
        ("policy_hash_b64u", "+" + "A" * 42, "POLICY_HASH_INVALID"), ("policy_hash_b64u", "", "POLICY_HASH_INVALID"),
        ("control_plane_policy_hash_b64u", "A" * 42 + "=", "CONTROL_POLICY_HASH_INVALID"),
        ("control_plane_policy_hash_b64u", 5, "INVALID_REQUEST"),
        ("payment_account_did", "acct_1", "PAYMENT_ACCOUNT_CLAIM_INVALID"), ("payment_account_did", 5, "INVALID_REQUEST"),
        ("spend_cap", -0.01, "SPEND_CAP_INVALID"), ("spend_cap", 100_000_000.01, "SPEND_CAP_INVALID"), ("spend_cap", 1e-7,
        "SPEND_CAP_INVALID"),
        ("spend_cap", 0.1 + 0.2, "SPEND_CAP_INVALID"), ("spend_cap", "1", "INVALID_REQUEST"), ("spend_cap", True, "INVALID_REQUEST"),
        ("delegation_id", "", "INVALID_REQUEST"), ("delegation_id", "x" * 129, "INVALID_REQUEST"),
        ("delegator_did", "me", "DELEGATOR_DID_INVALID"), ("delegate_did", "you", "DELEGATE_DID_INVALID"),
        ("delegation_policy_hash_b64u", "A", "DELEGATION_POLICY_HASH_INVALID"),
        ("delegation_spend_cap_minor", "1.5", "DELEGATION_SPEND_CAP_INVALID"), ("delegation_spend_cap_minor", "-1",
        "DELEGATION_SPEND_CAP_INVALID"),
        ("delegation_spend_cap_minor", "1" * 19, "DELEGATION_SPEND_CAP_INVALID"), ("delegation_spend_cap_minor", 150, "INVALID_REQUEST"),
        ("delegation_spend_cap_minor", "\uff11", "DELEGATION_SPEND_CAP_INVALID"),
        ("delegation_spend_cap_minor", " ", "DELEGATION_SPEND_CAP_INVALID"), ("delegation_policy_hash_b64u", " ",
        "DELEGATION_POLICY_HASH_INVALID"),
        ("delegation_expires_at", -1, "DELEGATION_EXPIRED"), ("delegation_expires_at", "soon", "INVALID_REQUEST"),
        ("owner_ref", "", "INVALID_REQUEST"), ("owner_ref", "x" * 257, "INVALID_REQUEST"), ("mission_id", "x" * 257, "INVALID_REQUEST"),
        ("mission_id", "a\u0007", "INVALID_REQUEST"), ("mission_id", "a\u0000", "INVALID_REQUEST"), ("run_id", "", "INVALID_REQUEST"),
        ("run_id", "x" * 129, "INVALID_REQUEST"), ("run_id", "r\u00e9", "INVALID_REQUEST"), ("job_id", "x" * 129, "INVALID_REQUEST"),
        ("job_id", 4, "INVALID_REQUEST"), ("may_act", {"sub": []}, "INVALID_REQUEST"), ("may_act", {"sub": ["sa:x"] * 9},
        "INVALID_REQUEST"),
        ("may_act", {"sub": ["sa:x"], "x": 1}, "INVALID_REQUEST"), ("may_act", ["sa:x"], "INVALID_REQUEST"),
        ("evidence_required", [f"a{n}" for n in range(17)], "INVALID_REQUEST"), ("evidence_required", ["Upper"], "INVALID_REQUEST"),
        ("evidence_required", ["x" * 65], "INVALID_REQUEST"), ("evidence_required", ["1a"], "INVALID_REQUEST"),
        ("evidence_required", "gateway_receipt", "INVALID_REQUEST"), ("surprise", 1, "INVALID_REQUEST"),
    ],
)  # fmt: skip
def test_optional_field_of_bad_form_is_refused(dev: Served, field: str, value: Any, code: str) -> None:
    answer = legacy(dev, **{field: value})
    assert answer.refusal == (400, code)
    if code == "INVALID_REQUEST":
        assert field in answer.json["detail"] or "string" in answer.json["detail"]


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("owner_did", " did:key:zOwner ", "did:key:zOwner"), ("agent_did", "  ", ABSENT), ("controller_did", DID_512, DID_512),
        ("policy_hash_b64u", PIN, PIN), ("control_plane_policy_hash_b64u", PIN, PIN), ("payment_account_did", "did:web:pay.example:1",
        "did:web:pay.example:1"),
        ("spend_cap", 0, 0), ("spend_cap", 100_000_000, 100_000_000), ("spend_cap", 0.000001, 0.000001), ("spend_cap", 0.1, 0.1),
        ("owner_ref", "x" * 256, "x" * 256), ("mission_id", "agent:main:dm:42 \u00e9", "agent:main:dm:42 \u00e9"), ("run_id", "x" * 128,
        "x" * 128),
        ("job_id", "job 1~", "job 1~"), ("may_act", {"sub": [f"sa:{n}" for n in range(8)]}, {"sub": [f"sa:{n}" for n in range(8)]}),
    ],
)  # fmt: skip
def test_optional_field_of_good_form_becomes_a_claim(dev: Served, field: str, value: Any, kept: Any) -> None:
    issued = legacy(dev, **{field: value}).ok()["claims"]
    assert issued.get(field, ABSENT) == kept


def test_promised_evidence_stands_in_the_audit_row_alone(dev: Served) -> None:
    run = unique("run")
    issued = legacy(dev, run_id=run, evidence_required=["gateway_receipt"] + [f"a{n}" for n in range(15)]).ok()
    assert "evidence_required" not in issued["claims"]
    row = dev.operator.get("/v1/audit/issuance", run_id=run).ok()["events"][0]["record"]
    assert row["evidence_required"][0] == "gateway_receipt"


@pytest.mark.parametrize("field", ["sub", "aud", "scope"])
def test_missing_required_field_is_named(dev: Served, field: str) -> None:
    answer = legacy(dev, **{field: ABSENT})
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert field in answer.json["detail"]


def test_delegation_members_become_claims(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    end = dev.clock.now() + 7200
    asked = {
        "delegation_id": "x" * 128, "delegator_did": chain.owner_did, "delegate_did": f" {chain.agent_did} ",
        "delegation_policy_hash_b64u": f" {PIN} ", "delegation_spend_cap_minor": " " + "9" * 18, "delegation_expires_at": end + 0.9,
    }  # fmt: skip
    kept = canonical(dev, chain, **asked).ok()["claims"]
    assert {name: kept[name] for name in asked} == {
        "delegation_id": "x" * 128, "delegator_did": chain.owner_did, "delegate_did": chain.agent_did,
        "delegation_policy_hash_b64u": PIN, "delegation_spend_cap_minor": "9" * 18, "delegation_expires_at": end,
    }  # fmt: skip
