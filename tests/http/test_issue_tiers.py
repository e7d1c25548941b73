"""Tiers: what each rule of a tier policy refuses and lets pass (tokens.md §2.1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawscope.infra.config.loading import ConfigProblems
from tests.http.serving import MakeServer, Served
from tests.http.tiers import ISSUER_TOKEN, TIERS
from tests.http.tokens import LEGACY, PIN, legacy, request

CASES: list[tuple[str, dict[str, Any], str | None]] = [
    ("default", {}, None), ("default", {"scope": ["control:audit:read"]}, "LEGACY_SENSITIVE_SCOPE_FORBIDDEN"),
    ("default", {"scope": ["foo:bar"]}, "SCOPE_NOT_ALLOWED"), ("default", {"scope": ["proxy:*"]}, "SCOPE_WILDCARD_NOT_ALLOWED"),
    ("wild", {"scope": ["proxy:*"]}, None), ("wild", {"scope": ["*"]}, "SCOPE_NOT_ALLOWED"), ("wild", {"scope": ["foo:*"]},
    "SCOPE_NOT_ALLOWED"),
    ("exact", {}, None), ("exact", {"scope": ["clawproxy:call"]}, "SCOPE_NOT_ALLOWED"), ("exact", {"scope": ["proxy:call:x"]},
    "SCOPE_NOT_ALLOWED"),
    ("empty", {}, "SCOPE_NOT_ALLOWED"),
    ("short", {"ttl_sec": 60}, None), ("short", {"ttl_sec": 61}, "TTL_TOO_LONG"),
    ("audiences", {"aud": ["https://a.example", "https://b.example"]}, None), ("audiences", {"aud": "https://c.example"},
    "AUDIENCE_NOT_ALLOWED"),
    ("audiences", {"aud": ["https://a.example", "https://a.example/"]}, "AUDIENCE_NOT_ALLOWED"),
    ("thrifty", {"spend_cap": 1.5}, None), ("thrifty", {}, None), ("thrifty", {"spend_cap": 1.500001}, "SPEND_CAP_TOO_HIGH"),
    ("run", {"run_id": "r"}, None), ("run", {"job_id": "j"}, "BINDING_REQUIRED"), ("job", {"job_id": "j"}, None),
    ("job", {"run_id": "r"}, "BINDING_REQUIRED"), ("any", {"job_id": "j"}, None), ("any", {"run_id": "r"}, None), ("any", {},
    "BINDING_REQUIRED"),
    ("pinned", {"policy_hash_b64u": PIN}, None), ("pinned", {}, "POLICY_PIN_REQUIRED"), ("default", {"policy_hash_b64u": "B" * 42 + "A"},
    "POLICY_UNKNOWN"),
    ("proven", {}, None), ("proven", {"scope": ["proxy:pay:x"]}, "EVIDENCE_REQUIRED"),
    ("proven", {"scope": ["proxy:pay:x"], "evidence_required": ["ticket"]}, "EVIDENCE_REQUIRED"),
    ("proven", {"scope": ["proxy:pay:x"], "evidence_required": ["ticket", "gateway_receipt"]}, None),
    ("watched", {}, None), ("watched", {"scope": ["proxy:pay:now"]}, "APPROVAL_REQUIRED"), ("watched", {"scope": ["proxy:*"]},
    "APPROVAL_REQUIRED"),
    ("watched", {"scope": ["clawproxy:call:openai"]}, "APPROVAL_REQUIRED"), ("watched", {"scope": ["clawproxy:*"]}, "APPROVAL_REQUIRED"),
    ("watched", {"scope": ["clawproxy:call:anthropic"]}, None), ("watched", {"scope": ["proxy:pay"]}, None),
]  # fmt: skip


@pytest.mark.parametrize(("tier", "asked", "code"), CASES)
def test_tier_refuses_what_its_rule_says(tiered: Served, tier: str, asked: dict[str, Any], code: str | None) -> None:
    answer = legacy(tiered, tier=tier, **({"ttl_sec": 30} | asked))
    if code is None:
        assert (answer.ok()["policy_tier"], answer.json["policy_version"]) == (tier, "7")
    else:
        assert answer.refusal == (403 if code in ("APPROVAL_REQUIRED", "LEGACY_SENSITIVE_SCOPE_FORBIDDEN") else 400, code)


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString", "Default", "default ", "__class__", "get"])
def test_fault_06_names_resolve_by_exact_lookup_and_never_to_default(tiered: Served, name: str) -> None:
    assert legacy(tiered, tier=name).refusal == (400, "TIER_UNKNOWN")
    answer = tiered.anyone.post("/v1/tokens/introspect/matrix", {"token": legacy(tiered).ok()["token"], "transition": name})
    assert answer.refusal == (400, "TRANSITION_UNKNOWN")


def test_fault_08_empty_allow_lists_allow_nothing(tiered: Served) -> None:
    for scope in ("proxy:call", "*", "x"):
        answer = legacy(tiered, tier="empty", scope=[scope], ttl_sec=5)
        assert answer.refusal[1] in ("SCOPE_NOT_ALLOWED", "SCOPE_WILDCARD_NOT_ALLOWED")


def test_caller_holds_only_the_tiers_of_its_organisation(tiered: Served) -> None:
    caller = tiered.bearing(ISSUER_TOKEN)
    assert caller.post(LEGACY, request()).ok()["policy_tier"] == "default"
    assert caller.post(LEGACY, request(tier="short")).refusal == (403, "TIER_NOT_ALLOWED")
    assert caller.post(LEGACY, request(tier="nosuch")).refusal == (400, "TIER_UNKNOWN")


def test_caller_hands_out_only_scopes_it_holds(tiered: Served) -> None:
    caller = tiered.bearing(ISSUER_TOKEN)
    assert caller.post(LEGACY, request(scope=["proxy:call", "clawproxy:call:x"])).ok()["claims"]["client_id"] == "atk_1"
    assert caller.post(LEGACY, request(scope=["proxy:call", "proxy:stop"])).refusal == (403, "ISSUER_SCOPE_EXCEEDED")


def test_builtin_tiers_have_no_wildcards_and_exchange_cannot_pay(dev: Served) -> None:
    for scope in ("proxy:a", "clawproxy:a", "cpx:pay", "clawbounties:a", "clawincome:a"):
        assert legacy(dev, scope=[scope]).ok()["policy_tier"] == "default"
    for scope in ("cpx:proxy:invoke", "cpx:provider:openai"):
        assert legacy(dev, tier="exchange", scope=[scope]).ok()["policy_tier"] == "exchange"
    assert legacy(dev, tier="exchange", scope=["cpx:pay"]).refusal == (400, "SCOPE_NOT_ALLOWED")
    assert legacy(dev, tier="exchange", scope=["proxy:*"]).refusal == (400, "SCOPE_WILDCARD_NOT_ALLOWED")


BROKEN = ["", "[]", '{"version":"1"}', '{"version":"1","tiers":{}}', '{"version":"1","tiers":{"default":{}}}',
          '{"version":"1","tiers":{"default":{"max_ttl_seconds":86401}}}', '{"version":"1","tiers":{"default":{"max_ttl_seconds":0}}}',
          '{"version":"1","tiers":{"default":{"max_ttl_seconds":60,"require_binding":"both"}}}',
          '{"version":"1","tiers":{"default":{"max_ttl_seconds":60,"allowed_scopes":["a b"]}}}',
          '{"version":"1","tiers":{"default":{"max_ttl_seconds":60,"surprise":1}}}']  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_broken_policy_stops_the_start(make_server: MakeServer, tmp_path: Path, text: str) -> None:
    path = tmp_path / "tiers.json"
    path.write_text(text)
    with pytest.raises(ConfigProblems):
        make_server({"policy_file": str(path)})


def test_policy_broken_later_answers_503_until_mended(make_server: MakeServer, tmp_path: Path) -> None:
    path = tmp_path / "tiers.json"
    path.write_text(json.dumps({"version": "1", "tiers": TIERS}))
    served = make_server({"policy_file": str(path)})
    assert legacy(served).ok()["policy_version"] == "1"
    path.write_text("{")
    refused = legacy(served)
    assert refused.refusal == (503, "POLICY_CONFIG_INVALID")
    assert int(refused.headers["retry-after"]) <= 2
    path.unlink()
    assert legacy(served).refusal == (503, "POLICY_CONFIG_INVALID")
    path.write_text(json.dumps({"version": "mended", "tiers": TIERS}))
    assert legacy(served).ok()["policy_version"] == "mended"
