"""Protected routes: the checks in their order, in every mode (tokens.md §5)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from clawscope.kernel.clock import ManualClock
from clawscope.kernel.secret import Secret
from tests.fakes.control_plane import ControlPlane
from tests.http.client import Answer, Client
from tests.http.serving import ISSUER, OPERATOR_KEY, MakeServer, Served
from tests.http.tokens import CANONICAL, canonical, control_token, revoke, signed, token, unique

AUDIT = "/v1/audit/issuance"
CHALLENGE = f'Bearer resource_metadata="{ISSUER}/.well-known/oauth-protected-resource", error="invalid_token"'
PROTECTED = [("POST", "/v1/tokens/revoke"), ("POST", "/v1/revocations/cutoffs"), ("DELETE", "/v1/revocations/cutoffs/cut_1"),
             ("GET", "/v1/revocations/events"), ("GET", "/v1/revocations/stream"), ("GET", "/v1/revocations/snapshot"),
             ("GET", "/v1/audit/issuance"), ("GET", "/v1/audit/approvals"), ("GET", "/v1/audit/bundle"), ("GET", "/v1/keys"),
             ("POST", "/v1/keys/prepare"), ("POST", "/v1/keys/rotate"), ("POST", "/v1/keys/k/activate"), ("POST", "/v1/keys/k/retire"),
             ("POST", "/v1/keys/k/revoke"), ("GET", "/v1/keys/transparency/history"), ("GET", "/v1/reports/revocation-slo")]  # fmt: skip


def unauthorized(answer: Answer) -> tuple[int, str]:
    """The refusal of a protected route; every 401 says where to learn more."""
    if answer.status == 401:
        assert answer.headers["www-authenticate"] == CHALLENGE
    return answer.refusal


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_every_protected_route_asks_for_a_token(strict: Served, method: str, path: str) -> None:
    assert unauthorized(strict.anyone.call(method, path)) == (401, "TOKEN_REQUIRED")
    assert unauthorized(strict.operator.call(method, path)) == (401, "LEGACY_AUTH_FORBIDDEN")
    assert unauthorized(strict.cst("a.b.c").call(method, path)) == (401, "TOKEN_MALFORMED")


@pytest.mark.parametrize("header", ["X-CST", "X-Scoped-Token", "Authorization"])
def test_token_is_taken_from_any_of_three_places(strict: Served, control_plane: ControlPlane, header: str) -> None:
    text = control_token(strict, control_plane, "control:audit:read")
    value = f"Bearer {text}" if header == "Authorization" else text
    assert strict.anyone.call("GET", AUDIT, headers={header: value}).status == 200
    assert strict.anyone.call("GET", AUDIT, headers={header.lower(): value.replace("Bearer", "bearer")}).status == 200


def test_own_header_wins_and_two_that_differ_are_refused(strict: Served, control_plane: ControlPlane) -> None:
    good, other = (control_token(strict, control_plane, "control:audit:read") for _ in range(2))
    both = strict.anyone.with_headers(X_CST=good, X_Scoped_Token=good, Authorization="Bearer a.b.c")
    assert both.get(AUDIT).status == 200
    assert unauthorized(strict.anyone.with_headers(X_CST=good, X_Scoped_Token=other).get(AUDIT)) == (401, "TOKEN_MALFORMED")
    assert unauthorized(strict.anyone.with_headers(X_Scoped_Token="x", Authorization=f"Bearer {good}").get(AUDIT)) == (
        401,
        "TOKEN_MALFORMED",
    )


@pytest.mark.parametrize("value", [OPERATOR_KEY, f"Bearer {OPERATOR_KEY}", "Bearer", "Bearer a.b", "Bearer a.b.c.d", "Token a.b.c", "a.b.c",
                                   "Basic " + base64.b64encode(f"dev:{OPERATOR_KEY}".encode()).decode()])  # fmt: skip
def test_other_credentials_are_forbidden_here(strict: Served, value: str) -> None:
    assert unauthorized(strict.anyone.with_headers(Authorization=value).get(AUDIT)) == (401, "LEGACY_AUTH_FORBIDDEN")


def test_bad_tokens_keep_their_codes(make_server: MakeServer, control_plane: ControlPlane) -> None:
    served = make_server({"protected_auth_mode": "canonical_cst"}, clock=ManualClock())
    ended = control_token(served, control_plane, "control:audit:read", ttl_sec=5)
    unhashed = signed(served, token_scope_hash_b64u="A" * 43)
    served.clock.move(65)
    cases = {"a.b.c": "TOKEN_MALFORMED", ended: "TOKEN_EXPIRED", unhashed: "TOKEN_SCOPE_HASH_MISMATCH"}
    for text, code in cases.items():
        assert unauthorized(served.cst(text).get(AUDIT)) == (401, code)


def test_checks_come_in_order(strict: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    scope, aud = ["proxy:call"], "https://elsewhere.example"
    dead = str(canonical(strict, chain, scope=scope, aud=aud).ok()["token"])
    killer = strict.cst(control_token(strict, control_plane, "control:token:revoke"))
    assert killer.post("/v1/tokens/revoke", {"token": dead}).ok()["status"] == "revoked"
    assert unauthorized(strict.cst(dead).get(AUDIT)) == (401, "TOKEN_REVOKED")
    legacy_token = token(strict, aud=aud)
    assert unauthorized(strict.cst(legacy_token).get(AUDIT)) == (401, "TOKEN_CONTROL_CHAIN_MISSING")
    foreign = str(canonical(strict, chain, scope=scope, aud=aud).ok()["token"])
    assert strict.cst(foreign).get(AUDIT).refusal == (403, "TOKEN_AUD_MISMATCH")
    narrow = str(canonical(strict, chain, scope=scope, aud=ISSUER).ok()["token"])
    assert strict.cst(narrow).get(AUDIT).refusal == (403, "TOKEN_INSUFFICIENT_SCOPE")
    issuing = strict.cst(control_token(strict, control_plane, "control:token:issue_sensitive"))
    assert issuing.post("/v1/tokens/revoke", {"token_hash": "0" * 64}).refusal == (403, "TOKEN_CONTROL_TRANSITION_FORBIDDEN")


def test_caller_comes_before_query_and_body(strict: Served) -> None:
    assert unauthorized(strict.anyone.get(AUDIT, nonsense=1)) == (401, "TOKEN_REQUIRED")
    assert unauthorized(strict.anyone.call("POST", "/v1/tokens/revoke", raw=b"{")) == (401, "TOKEN_REQUIRED")


def test_fault_04_proxy_scopes_open_nothing_here(tiered: Served, control_plane: ControlPlane) -> None:
    for scope in ("proxy:*", "proxy:call", "clawproxy:*"):
        text = str(canonical(tiered, control_plane.chain(), tier="wild", aud=ISSUER, scope=[scope]).ok()["token"])
        for method, path in PROTECTED:
            assert tiered.cst(text).call(method, path).refusal == (403, "TOKEN_INSUFFICIENT_SCOPE")


def test_control_wildcard_opens_every_reading(tiered: Served, control_plane: ControlPlane) -> None:
    text = str(canonical(tiered, control_plane.chain(), tier="wild", aud=ISSUER, scope=["control:*"]).ok()["token"])
    for method, path in PROTECTED:
        if method == "GET":
            assert tiered.cst(text).call(method, path).status == 200, path


@pytest.mark.parametrize("aud", ["https://clawscope.example", "clawscope.example", "did:web:clawscope.example", ["x", "clawscope.example"]])
def test_fault_05_audience_is_checked_against_configuration(strict: Served, control_plane: ControlPlane, aud: Any) -> None:
    text = control_token(strict, control_plane, "control:audit:read", aud=aud)
    assert strict.cst(text).get(AUDIT).status == 200


@pytest.mark.parametrize("aud", ["https://clawscope.example/", "https://evil.example", "127.0.0.1", "localhost"])
def test_fault_05_host_header_names_no_audience(strict: Served, control_plane: ControlPlane, aud: str) -> None:
    text = control_token(strict, control_plane, "control:audit:read", aud=aud)
    answer = strict.cst(text).call("GET", AUDIT, headers={"X-Forwarded-Host": aud, "Forwarded": f"host={aud}"})
    assert answer.refusal == (403, "TOKEN_AUD_MISMATCH")


def test_configured_audiences_replace_the_default_ones(make_server: MakeServer, control_plane: ControlPlane) -> None:
    served = make_server({"protected_auth_mode": "canonical_cst", "audiences": ["did:web:scope.example"]})
    assert served.cst(control_token(served, control_plane, "control:audit:read", aud="did:web:scope.example")).get(AUDIT).status == 200
    assert served.cst(control_token(served, control_plane, "control:audit:read")).get(AUDIT).refusal == (403, "TOKEN_AUD_MISMATCH")


def test_admin_mode_takes_operator_keys_only(make_server: MakeServer, control_plane: ControlPlane) -> None:
    served = make_server({"protected_auth_mode": "admin_token"})
    text = control_token(served, control_plane, "control:audit:read")
    assert served.operator.get(AUDIT).status == 200
    assert unauthorized(served.cst(text).get(AUDIT)) == (401, "UNAUTHORIZED")
    assert unauthorized(served.bearing(text).get(AUDIT)) == (401, "UNAUTHORIZED")
    assert unauthorized(served.anyone.get(AUDIT)) == (401, "UNAUTHORIZED")


def test_either_mode_takes_both(dev: Served, control_plane: ControlPlane) -> None:
    assert dev.operator.get(AUDIT).status == 200
    assert dev.cst(control_token(dev, control_plane, "control:audit:read")).get(AUDIT).status == 200
    assert unauthorized(dev.bearing("op_wrong_wrong_wrong_wrong_wrong").get(AUDIT)) == (401, "UNAUTHORIZED")
    assert unauthorized(dev.anyone.get(AUDIT)) == (401, "TOKEN_REQUIRED")


@pytest.mark.parametrize("value", [OPERATOR_KEY, f"Token {OPERATOR_KEY}", f"Basic {OPERATOR_KEY}", f"Bearer {OPERATOR_KEY}x",
f"Bearer {OPERATOR_KEY[:-1]}",
                                   f"Bearer {OPERATOR_KEY.upper()}", "Bearer ", "Bearer", ""])  # fmt: skip
def test_fault_09_operator_key_needs_its_scheme_and_every_character(dev: Served, value: str) -> None:
    client = dev.anyone.with_headers(Authorization=value)
    assert client.post("/v1/tokens/issue", {}).refusal == (401, "UNAUTHORIZED")


def test_fault_09_audit_names_the_operator_key_that_acted(make_server: MakeServer) -> None:
    keys = {"ana": Secret("op_ana_0123456789abcdefghijkl"), "ben": Secret("op_ben_0123456789abcdefghijkl")}
    served = make_server({"operator_keys": keys})
    for name, secret in keys.items():
        client = served.bearing(secret.reveal())
        run = unique(name)
        body = client.post("/v1/tokens/issue", {"sub": "sa:x", "aud": "a", "scope": ["proxy:call"], "run_id": run}).ok()
        row = client.get(AUDIT, run_id=run).ok()["events"][0]["record"]
        assert row["issued_by"] == f"operator:{name}"
        client.post("/v1/tokens/revoke", {"token": body["token"]}).ok()
        assert client.get("/v1/revocations/events", limit=1).ok()["events"][0]["record"]["revoked_by"] == f"operator:{name}"


def org_client(tiered: Served, plane: ControlPlane, api_tokens: Any, *scope: str) -> Client:
    """A control token minted for an organisation."""
    secret = api_tokens.add(unique("ats"), "tokens:issue", org_id=unique("org"), name=unique("atk"), cst_scopes=("control:*",))
    members = {**plane.chain().members, "aud": ISSUER, "scope": list(scope)}
    return tiered.cst(tiered.bearing(secret).post(CANONICAL, members).ok()["token"])


def test_changing_keys_takes_a_token_minted_by_an_operator(tiered: Served, control_plane: ControlPlane, api_tokens: Any) -> None:
    body = {"purpose": "token", "reason": "x"}
    assert org_client(tiered, control_plane, api_tokens, "control:key:rotate").post("/v1/keys/prepare", body).refusal == (403, "FORBIDDEN")
    ours = tiered.cst(control_token(tiered, control_plane, "control:key:rotate"))
    assert ours.post("/v1/keys/prepare?dry_run=true", body).status == 200


def test_reach_bounds_what_an_organisation_reads(tiered: Served, control_plane: ControlPlane, api_tokens: Any) -> None:
    revoke(tiered, token=token(tiered)).ok()
    reader = org_client(tiered, control_plane, api_tokens, "control:audit:read")
    rows = reader.get(AUDIT).ok()["events"]
    assert len(rows) == 1
    assert reader.get("/v1/revocations/events").ok()["events"] == []
    assert reader.get("/v1/revocations/snapshot").ok()["tokens"] == []
