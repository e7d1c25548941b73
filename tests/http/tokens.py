"""Requests and tokens the HTTP tests start from."""

from __future__ import annotations

import json
import uuid
from typing import Any

from clawscope.protocol.scope import scope_hash
from tests.fakes.control_plane import Chain, ControlPlane
from tests.http.client import Answer
from tests.http.serving import ISSUER, Served

LEGACY, CANONICAL = "/v1/tokens/issue", "/v1/tokens/issue/canonical"
AUDIENCE = "https://clawproxy.example"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
PIN = "A" * 43
PIN_HEX = "00" * 32
ABSENT: Any = object()


def request(**changes: Any) -> dict[str, Any]:
    """A good legacy request with some members changed; `ABSENT` takes one out."""
    body = {"sub": "did:key:zAgent", "aud": AUDIENCE, "scope": ["proxy:call"]} | changes
    return {name: value for name, value in body.items() if value is not ABSENT}


def legacy(served: Served, **changes: Any) -> Answer:
    """Issue in the legacy lane as the operator."""
    return served.operator.post(LEGACY, request(**changes))


def canonical(served: Served, chain: Chain, **changes: Any) -> Answer:
    """Issue in the canonical lane as the operator."""
    return served.operator.post(CANONICAL, request(**(chain.members | changes)))


def token(served: Served, **changes: Any) -> str:
    """A legacy token."""
    return str(legacy(served, **changes).ok()["token"])


def control_token(served: Served, plane: ControlPlane, *scope: str, chain: Chain | None = None, **changes: Any) -> str:
    """A canonical token for this issuer's protected routes."""
    members = {"aud": ISSUER, "scope": list(scope)} | changes
    return str(canonical(served, chain or plane.chain(), **members).ok()["token"])


def introspect(served: Served, text: str, **expect: Any) -> Answer:
    """Introspect, with an expectation if any is given."""
    body: dict[str, Any] = {"token": text}
    if expect:
        body["expect"] = expect
    return served.anyone.post("/v1/tokens/introspect", body)


def revoke(served: Served, **body: Any) -> Answer:
    """Revoke as the operator."""
    return served.operator.post("/v1/tokens/revoke", body)


def exchange(served: Served, subject: str, **form: Any) -> Answer:
    """Exchange a token for a child."""
    members = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": JWT_TYPE} | form
    return served.anyone.call("POST", "/oauth2/token", form={name: value for name, value in members.items() if value is not ABSENT})


def claims(served: Served, **changes: Any) -> dict[str, Any]:
    """Claims of a good token of this issuer, some changed; the scope hash follows the scopes."""
    now = served.clock.now()
    body = {
        "token_version": "1", "iss": ISSUER, "sub": "did:key:zAgent", "aud": AUDIENCE, "scope": ["proxy:call"], "iat": now,
        "exp": now + 600, "token_lane": "legacy", "jti": str(uuid.uuid4()), "nonce": str(uuid.uuid4()),
    } | changes  # fmt: skip
    if "token_scope_hash_b64u" not in body and isinstance(body["scope"], list):
        body["token_scope_hash_b64u"] = scope_hash(body["scope"])
    return {name: value for name, value in body.items() if value is not ABSENT}


def signed(served: Served, **changes: Any) -> str:
    """A token of chosen claims, truly signed."""
    return served.sign(json.dumps(claims(served, **changes)).encode())


def unique(prefix: str) -> str:
    """A name nobody has used."""
    return f"{prefix}_{uuid.uuid4().hex[:12]}"
