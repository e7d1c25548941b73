"""The legacy lane, its modes, and the answer of an issue (tokens.md §2.4, §2.5)."""

from __future__ import annotations

import json

import pytest

from clawscope.infra.config.loading import ConfigProblems
from clawscope.protocol import b64u
from clawscope.protocol.scope import scope_hash
from tests.fakes.ports import FailingChains
from tests.http.serving import ISSUER, MakeServer, Served
from tests.http.tokens import AUDIENCE, CANONICAL, LEGACY, introspect, legacy, request, unique


def test_answer_is_exactly_what_the_contract_says(dev: Served) -> None:
    answer = legacy(dev, run_id="r", job_id="j", mission_id="m", spend_cap=1.25, owner_did="did:key:zO")
    body = answer.ok()
    assert answer.headers["cache-control"] == "no-store"
    header, payload, signature = body["token"].split(".")
    kid, _ = dev.signer
    assert b64u.decode(header) == b'{"alg":"EdDSA","typ":"JWT","kid":"%s"}' % kid.encode()
    claims = json.loads(b64u.decode(payload))
    assert claims == body["claims"]
    assert len(signature) == 86
    for name in ("iat", "exp", "jti", "owner_did", "mission_id", "run_id", "job_id", "spend_cap", "token_scope_hash_b64u", "token_lane"):
        assert body[name] == claims[name]
    assert claims["iss"] == ISSUER
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("did:key:zAgent", AUDIENCE, ["proxy:call"])
    assert claims["token_scope_hash_b64u"] == scope_hash(["proxy:call"]) == "cUp29jLmfEilCbCsFIzAnc_Ic-SpvWRNzoX-XpDC6ZY"
    assert set(body) == {"token", "token_hash", "token_lane", "token_scope_hash_b64u", "policy_version", "policy_tier", "kid", "iat",
    "exp", "jti",
                         "owner_did", "mission_id", "run_id", "job_id", "spend_cap", "claims", "legacy_exchange_mode",
                         "migration_notice"}  # fmt: skip
    assert body["kid"] == kid


def test_two_equal_requests_are_two_tokens(dev: Served) -> None:
    first, second = legacy(dev).ok(), legacy(dev).ok()
    assert first["jti"] != second["jti"]
    assert first["token_hash"] != second["token_hash"]


def test_migration_mode_names_itself_and_refuses_sensitive_scopes(dev: Served) -> None:
    body = legacy(dev).ok()
    assert body["legacy_exchange_mode"] == "migration"
    assert body["migration_notice"]
    for scope in ("control:audit:read", "control:token:revoke"):
        assert legacy(dev, scope=["proxy:call", scope]).refusal == (403, "LEGACY_SENSITIVE_SCOPE_FORBIDDEN")


def test_fault_03_star_is_sensitive_in_the_legacy_lane(make_server: MakeServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("policy") / "tiers.json"
    wide = {"max_ttl_seconds": 60, "allow_wildcards": True, "allowed_scopes": ["*", "control:*", "proxy:*", "c:*"]}
    path.write_text(json.dumps({"version": "1", "tiers": {"default": wide}}))
    served = make_server({"policy_file": str(path), "default_ttl_s": 60})
    for scope in ("*", "control:*"):
        assert legacy(served, scope=[scope]).refusal == (403, "LEGACY_SENSITIVE_SCOPE_FORBIDDEN")
    for scope in ("proxy:*", "c:*"):
        assert legacy(served, scope=[scope]).ok()["claims"]["scope"] == [scope]


def test_disabled_mode_closes_the_lane(make_server: MakeServer) -> None:
    served = make_server({"legacy_exchange_mode": "disabled"})
    assert legacy(served).refusal == (403, "LEGACY_EXCHANGE_DISABLED")
    assert legacy(served, ttl_sec=99_999).refusal == (400, "TTL_TOO_LONG")


def test_enabled_mode_mints_sensitive_scopes_that_open_nothing(make_server: MakeServer) -> None:
    served = make_server({"legacy_exchange_mode": "enabled", "protected_auth_mode": "canonical_cst"})
    chain = {"owner_did": "did:key:zO", "controller_did": "did:key:zC", "agent_did": "did:key:zAgent"}
    body = legacy(served, scope=["control:token:revoke"], aud=ISSUER, **chain).ok()
    assert (body["legacy_exchange_mode"], body["migration_notice"], body["token_lane"]) == ("enabled", None, "legacy")
    matrix = served.anyone.post("/v1/tokens/introspect/matrix", {"token": body["token"]}).ok()["matrix"]
    assert {entry["reason_code"] for entry in matrix.values()} == {"TOKEN_LANE_LEGACY_FORBIDDEN"}
    refused = served.cst(body["token"]).post("/v1/tokens/revoke", {"token_hash": "0" * 64})
    assert refused.refusal == (401, "TOKEN_CONTROL_CHAIN_MISSING")


def test_other_mode_words_stop_the_start(make_server: MakeServer) -> None:
    for name in ("legacy_exchange_mode", "protected_auth_mode", "claim_profile"):
        with pytest.raises(ConfigProblems):
            make_server({name: "sometimes"})


def test_chain_claims_are_copied_and_prove_nothing(dev: Served) -> None:
    run = unique("run")
    chain = {
        "owner_did": "did:key:zO",
        "controller_did": "did:key:zC",
        "agent_did": "did:key:zA",
        "control_plane_policy_hash_b64u": "A" * 43,
    }
    body = legacy(dev, run_id=run, **chain).ok()
    assert chain.items() <= body["claims"].items()
    row = dev.operator.get("/v1/audit/issuance", run_id=run).ok()["events"][0]["record"]
    assert row["chain_verified"] is False


def test_profile_v1_omits_our_claims(make_server: MakeServer) -> None:
    served = make_server({"claim_profile": "v1"})
    body = legacy(served).ok()
    assert not {"iss", "client_id", "org_id"} & set(body["claims"])
    assert introspect(served, body["token"]).ok()["active"] is True


def test_token_that_would_be_too_long_to_verify_is_not_minted(dev: Served) -> None:
    answer = legacy(dev, scope=[f"proxy:{n:03}" + "x" * 118 for n in range(64)])
    assert answer.status == 400
    assert answer.refusal[1] in ("SCOPE_TOO_LARGE", "INVALID_REQUEST")


def test_unforeseen_fault_is_issue_failed_and_keeps_nothing(make_server: MakeServer) -> None:
    served = make_server(chains=FailingChains())
    run = unique("run")
    asked = request(owner_did="did:key:zO", controller_did="did:key:zC", run_id=run)
    assert served.operator.post(CANONICAL, asked).refusal == (500, "ISSUE_FAILED")
    assert served.operator.get("/v1/audit/issuance", run_id=run).ok()["events"] == []
    assert served.operator.post(LEGACY, request()).status == 200
