"""A challenge that is exchanged for a scoped token (identity.md §9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawscope.identity.domain import errors
from clawscope.identity.domain.signing import fits_grammar
from clawscope.kernel.codes import INVALID_REQUEST
from clawscope.kernel.text import is_printable_ascii, trimmed
from clawscope.protocol import jcs
from clawscope.protocol.b64u import is_hash43
from clawscope.protocol.digest import sha256_b64u
from clawscope.protocol.scope import is_scope_text

LOG_ID = "identity-scope-exchange"
LEAST_TTL_S, MOST_TTL_S = 30, 3600
# A spent id answers USED for a day; an unspent one is forgotten with it.
REMEMBERED_S = 86400
_MOST_AUD, _MOST_SCOPES, _MOST_TEXT = 16, 64, 256


@dataclass(frozen=True, slots=True)
class Scoped:
    """What the token shall be: sorted, distinct audiences and scopes; `ttl_s` clamped; `None` where absent."""

    owner_did: str
    aud: tuple[str, ...]
    scope: tuple[str, ...]
    ttl_s: int
    controller_did: str | None = None
    agent_did: str | None = None
    owner_attestation_id: str | None = None
    mission_id: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    policy_hash_b64u: str | None = None
    payment_account_did: str | None = None

    @property
    def is_canonical(self) -> bool:
        """Whether it names a chain."""
        return self.controller_did is not None

    def asked_of_issuer(self, tier: str) -> dict[str, Any]:
        """The issue request: in the canonical lane for the agent, else for the owner, never with sensitive scopes."""
        optional = {
            name: getattr(self, name)
            for name in ("controller_did", "agent_did", "mission_id", "run_id", "job_id", "policy_hash_b64u", "payment_account_did")
        }
        return {
            "sub": self.agent_did or self.owner_did,
            "aud": list(self.aud),
            "scope": list(self.scope),
            "ttl_sec": self.ttl_s,
            "owner_did": self.owner_did,
            "token_lane": "canonical" if self.is_canonical else "legacy",
            "tier": tier,
            **{name: value for name, value in optional.items() if value is not None},
        }


@dataclass(frozen=True, slots=True)
class ScopeChallenge:
    """What the owner signs; `used_at` once a token came of it. Times in epoch seconds."""

    challenge_id: str
    scoped: Scoped
    message: str
    expires_at: int
    used_at: int | None = None


def judge_scoped(scoped: Scoped) -> None:
    """The checks of the request alone. Raises `INVALID_REQUEST`, naming the member."""
    if not 1 <= len(scoped.aud) <= _MOST_AUD or not all(_is_aud(one) for one in scoped.aud):
        raise INVALID_REQUEST("aud: is 1 to 16 texts of printable ASCII without blanks")
    if not 1 <= len(scoped.scope) <= _MOST_SCOPES or not all(len(one) <= _MOST_TEXT and is_scope_text(one) for one in scoped.scope):
        raise INVALID_REQUEST("scope: is 1 to 64 scopes")
    for name in ("owner_did", "controller_did", "agent_did", "payment_account_did"):
        value = getattr(scoped, name)
        if value is not None and not fits_grammar(value):
            raise INVALID_REQUEST(f"{name}: is not a DID of at most 256 characters")
    for name in ("owner_attestation_id", "mission_id", "run_id", "job_id"):
        value = getattr(scoped, name)
        if value is not None and (len(value) > _MOST_TEXT or not value.isprintable()):
            raise INVALID_REQUEST(f"{name}: is at most 256 printable characters")
    if scoped.policy_hash_b64u is not None and not is_hash43(scoped.policy_hash_b64u):
        raise INVALID_REQUEST("policy_hash_b64u: is not a hash of 43 base64url characters")


def judge_pair(scoped: Scoped) -> None:
    """Raises `INVALID_CANONICAL_CONTEXT` for one of controller and agent alone."""
    if (scoped.controller_did is None) != (scoped.agent_did is None):
        raise errors.INVALID_CANONICAL_CONTEXT("name controller_did and agent_did, or neither")


def scope_message(scoped: Scoped, challenge_id: str, nonce: str, expires_at: int, audience: str) -> str:
    """The text to sign; the second form where one of the members it adds was sent."""
    body: dict[str, Any] = {
        "agent_did": scoped.agent_did,
        "aud": list(scoped.aud),
        "challenge_id": challenge_id,
        "challenge_version": "1",
        "controller_did": scoped.controller_did,
        "exp": expires_at,
        "mission_id": scoped.mission_id,
        "nonce": nonce,
        "owner_attestation_id": scoped.owner_attestation_id,
        "owner_did": scoped.owner_did,
        "scope": list(scoped.scope),
        "ttl_sec": scoped.ttl_s,
    }
    added = {name: getattr(scoped, name) for name in ("run_id", "job_id", "policy_hash_b64u", "payment_account_did")}
    version = "1"
    if any(value is not None for value in added.values()):
        version = "2"
        body |= {**added, "audience": audience, "challenge_version": version}
    return f"clawclaim:scope_exchange:v{version}:" + jcs.canonical(body).decode()


def tidy(items: list[str]) -> tuple[str, ...]:
    """Trimmed, distinct, sorted."""
    return tuple(sorted({trimmed(item) for item in items}))


def leaf_hash(minted: Mapping[str, Any], scoped: Scoped) -> str:
    """The leaf of an exchange in the transparency log."""
    leaf = {
        "token_hash": minted["token_hash"],
        "policy_version": minted.get("policy_version"),
        "owner_did": scoped.owner_did,
        "audience": list(scoped.aud),
        "scope": list(scoped.scope),
        "issued_at": minted["iat"],
    }
    return sha256_b64u(jcs.canonical(leaf))


def _is_aud(text: str) -> bool:
    return 1 <= len(text) <= _MOST_TEXT and is_printable_ascii(text, blanks=False)
