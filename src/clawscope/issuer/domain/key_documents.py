"""What is published about keys: JWK sets and DID documents (keys.md §4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clawscope.issuer.domain.keyring import REVOKED, KeyRecord, Keyring
from clawscope.issuer.domain.rotation_contract import accepted
from clawscope.protocol import b64u, jwk

_PUBLISHED_PURPOSES = ("receipt", "checkpoint", "policy", "statement")
_CONTEXT = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/jwk/v1"]


def jwks(keyring: Keyring, now: int) -> dict[str, Any]:
    """The accepted token keys; nobody can take a key of another purpose for one."""
    return {"keys": [jwk.public_jwk(record.public, record.kid) for record in accepted(keyring.records.values(), now)]}


def statement_jwks(keyring: Keyring) -> dict[str, Any]:
    """The keys of the other purposes with their period, retired ones too: statements outlive keys. Revoked ones are not shown."""
    records = [record for purpose in _PUBLISHED_PURPOSES for record in keyring.of(purpose) if record.state != REVOKED]
    return {"keys": [_with_period(record) for record in records]}


def did_body(did: str, active: KeyRecord) -> dict[str, Any]:
    """The body of `GET /v1/did`."""
    return {"did": did, "kid": active.kid, "public_key_b64u": b64u.encode(active.public)}


def did_document(did: str, keyring: Keyring, now: int) -> dict[str, Any]:
    """The did:web document of the issuer: every accepted key as a method; token keys delegate, the others assert."""
    tokens = accepted(keyring.records.values(), now)
    others = [record for purpose in _PUBLISHED_PURPOSES for record in accepted(keyring.records.values(), now, purpose)]
    return {
        "@context": _CONTEXT,
        "id": did,
        "verificationMethod": [_method(did, record) for record in (*tokens, *others)],
        "capabilityDelegation": _names(did, tokens),
        "assertionMethod": _names(did, others),
    }


def key_view(record: KeyRecord) -> dict[str, Any]:
    """A key as `GET /v1/keys` lists it; what is not known is left out."""
    shown: dict[str, Any] = {"kid": record.kid, "purpose": record.purpose, "state": record.state, "x": b64u.encode(record.public)}
    shown |= {"published_at": record.published_at, "activatable_at": record.activatable_at, "activated_at": record.activated_at}
    shown |= {"not_after_unix": record.not_after_unix, "reason": record.reason}
    return {name: value for name, value in shown.items() if value is not None}


def _with_period(record: KeyRecord) -> dict[str, Any]:
    period = {
        "purpose": record.purpose,
        "state": record.state,
        "activated_at": record.activated_at,
        "not_after_unix": record.not_after_unix,
    }
    shown = jwk.public_jwk(record.public, record.kid) | {"purpose": record.purpose, "state": record.state}
    return shown | {name: value for name, value in period.items() if value is not None}


def _method(did: str, record: KeyRecord) -> dict[str, Any]:
    return {"id": f"{did}#{record.kid}", "type": "JsonWebKey", "controller": did, "publicKeyJwk": jwk.public_jwk(record.public, record.kid)}


def _names(did: str, records: Sequence[KeyRecord]) -> list[str]:
    return [f"{did}#{record.kid}" for record in records]
