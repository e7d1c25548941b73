"""Who may look at keys and who may move them (keys.md §3, tokens.md §5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.control_plane import ControlPlane
from tests.fakes.ports import MemoryApiTokens
from tests.http.client import Client
from tests.http.keys.conftest import OpenDesk
from tests.http.keys.desk import ACK, HISTORY, SLO, Desk
from tests.http.receipts import receipt
from tests.http.serving import ISSUER, MakeServer, Served
from tests.http.tokens import CANONICAL, canonical, control_token, exchange, revoke, signed, token, unique

REASON = {"reason": "x"}
MOVES: list[tuple[str, dict[str, Any] | None]] = [
    ("/v1/keys/prepare", REASON), ("/v1/keys/rotate", REASON), ("/v1/keys/k/activate", REASON), ("/v1/keys/k/retire", REASON),
    ("/v1/keys/k/revoke", REASON), ("/v1/keys/import", {"x": "A", "not_after_unix": 1, "reason": "x"}),
    ("/v1/keys/transparency/snapshot", None),
]  # fmt: skip
READS = ["/v1/keys", HISTORY, SLO]
ROUTES = [*(("POST", path) for path, _ in MOVES), *(("GET", path) for path in READS), ("POST", ACK)]
SCOPES = ("control:key:rotate", "control:audit:read", "control:token:issue_sensitive", "control:token:revoke", "control:revocations:read")


@pytest.fixture(scope="module")
def strict(make_server: MakeServer) -> Served:
    """A server of this module in the default mode."""
    return make_server({"protected_auth_mode": "canonical_cst"}, api_tokens=MemoryApiTokens())


def holder(served: Served, plane: ControlPlane, *scope: str, **changes: Any) -> Client:
    """A client with a canonical token of these scopes, minted by the operator."""
    return served.cst(control_token(served, plane, *scope, chain=plane.chain(allowed=SCOPES), **changes))


def refusals(client: Client) -> set[tuple[int, str]]:
    """What every key route answers this client."""
    return {client.call(method, path).refusal for method, path in ROUTES}


def test_every_key_route_asks_for_a_token(strict: Served) -> None:
    assert refusals(strict.anyone) == {(401, "TOKEN_REQUIRED")}
    assert refusals(strict.operator) == {(401, "LEGACY_AUTH_FORBIDDEN")}
    assert refusals(strict.cst("a.b.c")) == {(401, "TOKEN_MALFORMED")}
    assert refusals(strict.anyone.with_headers(X_CST="a.b.c", X_Scoped_Token="d.e.f")) == {(401, "TOKEN_MALFORMED")}


def test_every_key_route_verifies_the_token(strict: Served, control_plane: ControlPlane) -> None:
    revoked = control_token(strict, control_plane, *SCOPES, chain=control_plane.chain(allowed=SCOPES))
    killer = holder(strict, control_plane, "control:token:revoke")
    assert killer.post("/v1/tokens/revoke", {"token": revoked}).ok()["status"] == "revoked"
    assert refusals(strict.cst(revoked)) == {(401, "TOKEN_REVOKED")}
    good = control_token(strict, control_plane, *SCOPES, chain=control_plane.chain(allowed=SCOPES))
    assert refusals(strict.cst(good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "AAAQ"))) == {(401, "TOKEN_SIGNATURE_INVALID")}
    now = strict.clock.now()
    assert refusals(strict.cst(signed(strict, iat=now - 900, exp=now - 300))) == {(401, "TOKEN_EXPIRED")}
    unknown = strict.sign(b"{}", b'{"alg":"EdDSA","typ":"JWT","kid":"nobody"}')
    assert refusals(strict.cst(unknown)) == {(401, "TOKEN_UNKNOWN_KID")}
    legacy_token = strict.cst(token(strict, aud=ISSUER))
    assert refusals(legacy_token) == {(401, "TOKEN_CONTROL_CHAIN_MISSING")}
    assert refusals(holder(strict, control_plane, *SCOPES, aud="https://elsewhere.example")) == {(403, "TOKEN_AUD_MISMATCH")}
    narrow = str(canonical(strict, control_plane.chain(), aud=ISSUER).ok()["token"])
    assert refusals(strict.cst(narrow)) == {(403, "TOKEN_INSUFFICIENT_SCOPE")}


@pytest.mark.parametrize("scope", SCOPES)
def test_scopes_open_exactly_their_routes(strict: Served, control_plane: ControlPlane, scope: str) -> None:
    client = holder(strict, control_plane, scope)
    reads = {path: client.get(path).status for path in READS}
    assert set(reads.values()) == ({200} if scope == "control:audit:read" else {403})
    for path, body in MOVES:
        answer = client.call("POST", path, body)
        if scope == "control:key:rotate":
            assert answer.status in (200, 201, 202, 400, 404, 409), path
        elif scope == "control:token:issue_sensitive":
            # The scope is one of the route's, but the transition key.rotate is not open to it.
            assert answer.refusal == (403, "TOKEN_CONTROL_TRANSITION_FORBIDDEN"), path
        else:
            assert answer.refusal == (403, "TOKEN_INSUFFICIENT_SCOPE"), path


def test_a_token_of_an_organisation_moves_no_key(make_server: MakeServer, control_plane: ControlPlane) -> None:
    tokens = MemoryApiTokens()
    served = make_server({"protected_auth_mode": "canonical_cst"}, api_tokens=tokens)
    secret = tokens.add("ats_org", "tokens:issue", org_id=unique("org"), cst_scopes=("control:*",))
    members = {**control_plane.chain(allowed=SCOPES).members, "aud": ISSUER, "scope": list(SCOPES)}
    client = served.cst(served.bearing(secret).post(CANONICAL, members).ok()["token"])
    for path, body in MOVES:
        assert client.call("POST", path, body).refusal == (403, "FORBIDDEN"), path
    assert len(served.anyone.get("/v1/jwks").ok()["keys"]) == 1


def test_a_child_token_moves_no_more_than_its_scopes_allow(strict: Served, control_plane: ControlPlane) -> None:
    parent = control_token(strict, control_plane, "control:key:rotate", "control:audit:read", chain=control_plane.chain(allowed=SCOPES))
    narrow = exchange(strict, parent, scope="control:audit:read").ok()["access_token"]
    assert strict.cst(narrow).post("/v1/keys/prepare", REASON).refusal == (403, "TOKEN_INSUFFICIENT_SCOPE")
    # A child acts within its parent's reach: this one was minted for the operator.
    whole = exchange(strict, parent, scope="control:key:rotate").ok()["access_token"]
    assert strict.cst(whole).post("/v1/keys/prepare?dry_run=true", REASON).ok()["dry_run"] is True


def test_a_token_minted_by_exchanging_an_approval_moves_no_key(strict: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain(allowed=SCOPES)
    agent = strict.cst(control_token(strict, control_plane, "proxy:call", chain=chain))
    sent = {"receipt": receipt(strict, chain, scope=["control:key:rotate"], aud=[ISSUER])}
    client = strict.cst(agent.post("/v1/approvals/exchange", sent).ok()["token"])
    for path, body in MOVES:
        assert client.call("POST", path, body).refusal == (403, "FORBIDDEN"), path


def test_a_token_of_a_revoked_key_moves_no_key(open_desk: OpenDesk, control_plane: ControlPlane) -> None:
    desk = open_desk()
    client = holder(desk.served, control_plane, "control:key:rotate")
    kid = desk.active()
    assert client.post(f"/v1/keys/{kid}/revoke", {"reason": "stolen"}).ok()["live_tokens_killed"] == 1
    assert client.post("/v1/keys/prepare", REASON).refusal == (401, "TOKEN_KID_EXPIRED")
    assert desk.events("key_revoked")[-1]["actor"].startswith("cst:")


@pytest.mark.parametrize("mode", ["admin_token", "either"])
def test_other_modes_let_the_operator_move_keys(make_server: MakeServer, control_plane: ControlPlane, mode: str) -> None:
    served = make_server({"protected_auth_mode": mode})
    assert served.operator.post("/v1/keys/prepare", REASON).status == 201
    client = holder(served, control_plane, "control:key:rotate")
    answer = client.post("/v1/keys/prepare", REASON)
    assert answer.status == 201 if mode == "either" else answer.refusal == (401, "UNAUTHORIZED")


def test_every_refusal_is_an_event_with_its_true_code(desk: Desk, control_plane: ControlPlane) -> None:
    desk.served.anyone.post("/v1/keys/prepare", REASON)
    holder(desk.served, control_plane, "control:audit:read").post("/v1/keys/rotate", REASON)
    desk.served.anyone.get(HISTORY)
    desk.served.anyone.get(SLO)
    denied = [(one["code"], one["route"]) for one in desk.events("access_denied")]
    codes = ["TOKEN_REQUIRED", "TOKEN_INSUFFICIENT_SCOPE", "TOKEN_REQUIRED", "TOKEN_REQUIRED"]
    assert [code for code, _ in denied] == codes
    assert [path.split()[-1] for _, path in denied] == ["/v1/keys/prepare", "/v1/keys/rotate", HISTORY, SLO]


def test_the_operator_stands_in_audit_and_event_by_name(desk: Desk) -> None:
    revoke(desk.served, token_hash="0" * 64).ok()
    desk.prepare()
    assert desk.events("key_prepared")[-1]["actor"] == "operator:dev"
