"""The OAuth face: client credentials, introspection, revocation, metadata (tokens.md §10)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.fakes.control_plane import ControlPlane
from tests.fakes.ports import MemoryApiTokens
from tests.http.client import Answer, Client
from tests.http.serving import ISSUER, OPERATOR_KEY, MakeServer, Served
from tests.http.tokens import AUDIENCE, canonical, introspect, revoke, token, unique


def basic(name: str, secret: str) -> dict[str, str]:
    """A Basic credential."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def form(client: Client, path: str, headers: dict[str, str] | None = None, **members: Any) -> Answer:
    """Post a form."""
    return client.call("POST", path, form=members, headers=headers)


@pytest.fixture
def secret(api_tokens: MemoryApiTokens) -> str:
    """An API token that may introspect and get CSTs."""
    return api_tokens.add(unique("ats"), "tokens:introspect", name=unique("atk"), cst_scopes=("proxy:call",), audiences=(AUDIENCE,))


def grant(served: Served, secret: str, **members: Any) -> Answer:
    """Client credentials with Basic."""
    return form(
        served.anyone,
        "/oauth2/token",
        basic("atk", secret),
        **({"grant_type": "client_credentials", "scope": "proxy:call", "audience": AUDIENCE} | members),
    )


def test_client_credentials_give_a_legacy_token_of_the_client(tiered: Served, secret: str) -> None:
    body = grant(tiered, secret, run_id="r", mission_id="m", spend_cap="1.5", expires_in="60").ok()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 60, "proxy:call")
    claims = introspect(tiered, body["access_token"], run_id="r").ok()
    assert (claims["sub"], claims["token_lane"], claims["org_id"], claims["spend_cap"]) == ("sa:sa_1", "legacy", "org_1", 1.5)
    assert claims["aud"] == AUDIENCE


def test_client_credentials_with_a_chain_give_a_canonical_token(tiered: Served, secret: str, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    members = {"agent_did": chain.agent_did, "owner_did": chain.owner_did, "controller_did": chain.controller_did}
    claims = introspect(tiered, grant(tiered, secret, **members).ok()["access_token"]).ok()
    assert (claims["sub"], claims["token_lane"]) == (chain.agent_did, "canonical")
    control_plane.forget(chain)
    assert grant(tiered, secret, **members).oauth == (400, "invalid_grant", "CONTROL_CHAIN_NOT_FOUND")


@pytest.mark.parametrize(
    ("members", "error", "code"),
    [
        ({"scope": "proxy:stop"}, "invalid_scope", "ISSUER_SCOPE_EXCEEDED"), ({"scope": "foo:bar"}, "invalid_scope", "SCOPE_NOT_ALLOWED"),
        ({"scope": "a*b"}, "invalid_scope", "SCOPE_INVALID"), ({"scope": ""}, "invalid_request", "INVALID_REQUEST"), ({"audience": ""},
        "invalid_request", "INVALID_REQUEST"),
        ({"expires_in": "9999"}, "invalid_request", "TTL_TOO_LONG"), ({"spend_cap": "x"}, "invalid_request", "SPEND_CAP_INVALID"),
        ({"owner_did": "x", "agent_did": "did:key:z1"}, "invalid_request", "OWNER_DID_INVALID"), ({"agent_did": "did:key:z1"},
        "invalid_grant", "CANONICAL_CHAIN_REQUIRED"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type", "UNSUPPORTED_GRANT_TYPE"), ({"more": "1"}, "invalid_request",
        "INVALID_REQUEST"),
    ],
)  # fmt: skip
def test_client_credentials_refused(tiered: Served, secret: str, members: dict[str, Any], error: str, code: str) -> None:
    assert grant(tiered, secret, **members).oauth == (400, error, code)


def test_failing_lane_or_service_speaks_oauth(make_server: MakeServer, api_tokens: MemoryApiTokens, secret: str) -> None:
    closed = make_server({"legacy_exchange_mode": "disabled"}, api_tokens=api_tokens)
    assert grant(closed, secret).oauth == (400, "unauthorized_client", "LEGACY_EXCHANGE_DISABLED")
    alone = make_server({"identity_url": None}, api_tokens=api_tokens)
    members = {"agent_did": "did:key:z1", "owner_did": "did:key:z2", "controller_did": "did:key:z3"}
    assert grant(alone, secret, **members).oauth == (503, "temporarily_unavailable", "CONTROL_PLANE_NOT_CONFIGURED")


def test_operator_keys_are_no_oauth_clients_of_tokens(dev: Served) -> None:
    answer = form(dev.operator, "/oauth2/token", grant_type="client_credentials", scope="proxy:call", audience=AUDIENCE)
    assert answer.oauth == (400, "unauthorized_client", "UNAUTHORIZED_CLIENT")


@pytest.mark.parametrize("path", ["/oauth2/introspect", "/oauth2/revoke"])
def test_clients_authenticate_in_three_ways_and_no_other(dev: Served, path: str) -> None:
    text = token(dev)
    assert form(dev.operator, path, token=text).status == 200
    assert form(dev.anyone, path, basic("dev", OPERATOR_KEY), token=text).status == 200
    assert form(dev.anyone, path, token=text, client_id="dev", client_secret=OPERATOR_KEY).status == 200
    wrong = [({}, {}), (basic("dev", "op_wrong"), {}), (basic("ana", OPERATOR_KEY), {}), ({"Authorization": "Basic !!"}, {}),
    ({"Authorization": OPERATOR_KEY}, {}),
             ({}, {"client_id": "dev", "client_secret": "x"}), ({}, {"client_id": "dev"}), (basic("dev", OPERATOR_KEY),
             {"client_secret": OPERATOR_KEY})]  # fmt: skip
    for headers, members in wrong:
        answer = form(dev.anyone, path, headers, token=text, **members)
        assert answer.oauth == (401, "invalid_client", "UNAUTHORIZED"), (headers, members)
        assert answer.headers["www-authenticate"].startswith("Basic ")


def test_introspection_tells_a_live_token_the_standard_way(dev: Served) -> None:
    text = token(dev, scope=["proxy:call", "proxy:stop"])
    answer = form(dev.operator, "/oauth2/introspect", token=text, token_type_hint="access_token")
    body = answer.ok()
    assert (body["active"], body["token_type"], body["scope"]) == (True, "Bearer", "proxy:call proxy:stop")
    assert {"sub", "aud", "iat", "exp", "jti", "iss"} <= set(body)
    assert answer.headers["cache-control"] == "no-store"


def test_everything_else_is_exactly_inactive(tiered: Served, secret: str, control_plane: ControlPlane) -> None:
    dead = token(tiered)
    revoke(tiered, token=dead).ok()
    foreign = token(tiered, aud="https://elsewhere.example")
    for text in ("x", "a.b.c", dead, foreign, "ats_unknown", token(tiered)[:-2]):
        answer = form(tiered.anyone, "/oauth2/introspect", basic("atk", secret), token=text)
        assert answer.status == 200
        assert answer.raw == b'{"active":false}'
    assert form(tiered.anyone, "/oauth2/introspect", basic("atk", secret), token=token(tiered)).ok()["active"] is True
    assert form(tiered.operator, "/oauth2/introspect", token=foreign).ok()["active"] is True


def test_introspection_needs_its_permission(tiered: Served, api_tokens: MemoryApiTokens) -> None:
    stranger = api_tokens.add(unique("ats"), "agents:read", name=unique("atk"))
    answer = form(tiered.bearing(stranger), "/oauth2/introspect", token=token(tiered))
    assert answer.oauth[2] == "FORBIDDEN"
    everywhere = api_tokens.add(unique("ats"), "tokens:introspect", "tokens:introspect_any", name=unique("atk"))
    assert form(tiered.bearing(everywhere), "/oauth2/introspect", token=token(tiered, aud="https://x.example")).ok()["active"] is True


def test_revocation_is_empty_and_done(tiered: Served, secret: str, api_tokens: MemoryApiTokens) -> None:
    mine = grant(tiered, secret).ok()["access_token"]
    answer = form(tiered.bearing(secret), "/oauth2/revoke", token=mine)
    assert (answer.status, answer.raw) == (200, b"")
    assert introspect(tiered, mine).ok()["revoked"] is True
    assert form(tiered.bearing(secret), "/oauth2/revoke", token=mine).status == 200
    assert form(tiered.bearing(secret), "/oauth2/revoke", token="unknown").status == 200


def test_stranger_may_not_revoke(tiered: Served, secret: str, api_tokens: MemoryApiTokens) -> None:
    mine = grant(tiered, secret).ok()["access_token"]
    other_org = api_tokens.add(unique("ats"), "tokens:revoke", org_id="org_9", name=unique("atk"))
    assert form(tiered.bearing(other_org), "/oauth2/revoke", token=mine).oauth == (400, "unauthorized_client", "UNAUTHORIZED_CLIENT")
    colleague = api_tokens.add(unique("ats"), "agents:read", name=unique("atk"))
    assert form(tiered.bearing(colleague), "/oauth2/revoke", token=mine).oauth == (400, "unauthorized_client", "UNAUTHORIZED_CLIENT")
    assert introspect(tiered, mine).ok()["active"] is True
    holder = api_tokens.add(unique("ats"), "tokens:revoke", name=unique("atk"))
    assert form(tiered.bearing(holder), "/oauth2/revoke", token=mine).status == 200
    assert introspect(tiered, mine).ok()["revoked"] is True


def test_token_revokes_itself_as_bearer_and_no_other(dev: Served, control_plane: ControlPlane) -> None:
    text, other = token(dev), token(dev)
    assert form(dev.bearing(text), "/oauth2/revoke", token=other).status in (400, 401)
    assert introspect(dev, other).ok()["active"] is True
    assert form(dev.bearing(text), "/oauth2/revoke", token=text).status == 200
    assert introspect(dev, text).ok()["revoked"] is True
    chained = str(canonical(dev, control_plane.chain()).ok()["token"])
    assert form(dev.bearing(chained), "/oauth2/revoke", token=chained).status == 200


def test_missing_token_and_wrong_media_type_are_invalid_requests(dev: Served) -> None:
    for path in ("/oauth2/introspect", "/oauth2/revoke"):
        assert form(dev.operator, path).oauth[1] == "invalid_request"
        assert form(dev.operator, path, token="").oauth[1] == "invalid_request"
        assert dev.operator.post(path, {"token": "x"}).oauth == (400, "invalid_request", "INVALID_REQUEST")
        assert dev.operator.call("POST", path, form=[("token", "x"), ("token", "y")]).oauth == (400, "invalid_request", "INVALID_REQUEST")
        other = dev.operator.call("GET", path)
        assert other.oauth == (405, "invalid_request", "METHOD_NOT_ALLOWED")
        assert other.headers["allow"] == "POST"


def test_metadata_names_the_issuer_byte_for_byte(dev: Served) -> None:
    body = dev.anyone.get("/.well-known/oauth-authorization-server").ok()
    assert body["issuer"] == ISSUER
    assert body["token_endpoint"] == ISSUER + "/oauth2/token"
    assert body["introspection_endpoint"] == ISSUER + "/oauth2/introspect"
    assert body["revocation_endpoint"] == ISSUER + "/oauth2/revoke"
    assert body["jwks_uri"] == ISSUER + "/.well-known/jwks.json"
    assert body["response_types_supported"] == []
    assert set(body["grant_types_supported"]) == {"urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials"}
    assert {"client_secret_basic", "client_secret_post"} <= set(body["token_endpoint_auth_methods_supported"])
    assert body["scopes_supported"]
    resource = dev.anyone.get("/.well-known/oauth-protected-resource").ok()
    assert resource["authorization_servers"] == [ISSUER]
    assert resource["resource"] == ISSUER
    assert resource["bearer_methods_supported"] == ["header"]
    assert resource["scopes_supported"]


def test_metadata_path_goes_before_the_issuers_path(make_server: MakeServer) -> None:
    served = make_server({"url": "https://host.example/tenant/a"})
    body = served.anyone.get("/.well-known/oauth-authorization-server/tenant/a").ok()
    assert body["issuer"] == "https://host.example/tenant/a"


def test_jwks_holds_the_key_that_signs(dev: Served) -> None:
    keys = dev.anyone.get("/.well-known/jwks.json").ok()["keys"]
    assert dev.signer[0] in [key["kid"] for key in keys]
    assert all("d" not in key for key in keys)
