"""Shapes of the OAuth face."""

from __future__ import annotations

import msgspec

from clawscope.issuer.adapters.wire import Strict


class TokenForm(Strict, frozen=True):
    """`/oauth2/token`: token exchange (RFC 8693) or client credentials."""

    grant_type: str = ""
    subject_token: str | None = None
    subject_token_type: str | None = None
    actor_token: str | None = None
    actor_token_type: str | None = None
    requested_token_type: str | None = None
    scope: str | None = None
    audience: list[str] | None = None
    resource: list[str] | None = None
    expires_in: str | None = None
    spend_cap: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    mission_id: str | None = None
    policy_hash_b64u: str | None = None
    agent_did: str | None = None
    owner_did: str | None = None
    controller_did: str | None = None
    client_id: str | None = None
    client_secret: str | None = None


class OAuthTokenBody(msgspec.Struct):
    """An access token (RFC 6749 §5.1, RFC 8693 §2.2.1)."""

    access_token: str
    issued_token_type: str
    token_type: str
    expires_in: int
    scope: str
    token_hash: str
    token_scope_hash_b64u: str
    jti: str


class OAuthTokenRefForm(Strict, frozen=True):
    """A token to introspect (RFC 7662) or revoke (RFC 7009)."""

    token: str = ""
    token_type_hint: str | None = None
    client_id: str | None = None
    client_secret: str | None = None


class OAuthActiveBody(msgspec.Struct):
    """RFC 7662: exactly `{"active": false}`, or the token's members."""

    active: bool


class AuthorizationServerBody(msgspec.Struct):
    """RFC 8414 metadata."""

    issuer: str
    token_endpoint: str
    introspection_endpoint: str
    revocation_endpoint: str
    jwks_uri: str
    grant_types_supported: list[str]
    response_types_supported: list[str]
    scopes_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    introspection_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]


class ProtectedResourceBody(msgspec.Struct):
    """RFC 9728 metadata."""

    resource: str
    authorization_servers: list[str]
    scopes_supported: list[str]
    bearer_methods_supported: list[str]
