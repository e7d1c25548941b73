"""The closed set of claims of a CST, its one byte form, and the rules no type can express (tokens.md §1.1)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from clawscope.protocol import b64u
from clawscope.protocol import claim_forms as forms
from clawscope.protocol.did import is_did

VERSION = "1"
CANONICAL = "canonical"
LEGACY = "legacy"


class Actor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who acts (RFC 8693 §4.1): the outermost is the present one, `act` the one before."""

    sub: str
    act: Actor | None = None


class MayAct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may become the actor (RFC 8693 §4.4): 1–8 subjects."""

    sub: tuple[str, ...]


class Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Every claim a CST may hold, in the order it is written.

    Times are epoch seconds; `spend_cap` is US dollars, `delegation_spend_cap_minor` cents as text. An empty
    `token_scope_hash_b64u` stands for an absent one, which step 11 of §1.3 refuses.
    """

    token_version: str
    iss: str | None = None
    sub: str
    aud: str | tuple[str, ...]
    scope: tuple[str, ...]
    iat: int
    exp: int
    token_scope_hash_b64u: str = ""
    owner_did: str | None = None
    controller_did: str | None = None
    agent_did: str | None = None
    policy_hash_b64u: str | None = None
    control_plane_policy_hash_b64u: str | None = None
    owner_ref: str | None = None
    payment_account_did: str | None = None
    spend_cap: int | float | None = None
    mission_id: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    delegation_id: str | None = None
    delegator_did: str | None = None
    delegate_did: str | None = None
    delegation_policy_hash_b64u: str | None = None
    delegation_spend_cap_minor: str | None = None
    delegation_expires_at: int | None = None
    client_id: str | None = None
    org_id: str | None = None
    lineage: tuple[str, ...] | None = None
    act: Actor | None = None
    may_act: MayAct | None = None
    token_lane: str | None = None
    jti: str | None = None
    nonce: str | None = None


_encoder = msgspec.json.Encoder()

# Claims that tokens of one client share, so that judging them once by their text is enough.
_SHARED_FORMS: tuple[tuple[str, Callable[[Any], object]], ...] = (
    ("iss", forms.is_issuer),
    ("owner_did", is_did),
    ("controller_did", is_did),
    ("agent_did", is_did),
    ("policy_hash_b64u", b64u.is_hash43),
    ("control_plane_policy_hash_b64u", b64u.is_hash43),
    ("client_id", forms.is_party),
    ("org_id", forms.is_party),
    ("token_lane", forms.is_lane),
)

# Claims fewer tokens have.
_RARE_FORMS: tuple[tuple[str, Callable[[Any], object]], ...] = (
    ("owner_ref", forms.is_opaque_256),
    ("payment_account_did", is_did),
    ("delegation_id", forms.is_opaque_128),
    ("delegator_did", is_did),
    ("delegate_did", is_did),
    ("delegation_policy_hash_b64u", b64u.is_hash43),
    ("delegation_spend_cap_minor", forms.is_cents),
    ("delegation_expires_at", forms.is_time),
    ("lineage", forms.is_lineage),
)


def encode(claims: Claims) -> bytes:
    """The claims as compact JSON in the struct's order; absent ones are left out."""
    return _encoder.encode(claims)


def audiences(claims: Claims) -> tuple[str, ...]:
    """The token's audiences, however many were written."""
    return (claims.aud,) if isinstance(claims.aud, str) else claims.aud


def lane(claims: Claims) -> str:
    """`canonical` or `legacy`; an absent lane counts as legacy."""
    return claims.token_lane or LEGACY


def problem(claims: Claims, *, hard_max_ttl_s: int) -> str | None:
    """A claim that breaks a rule of §1.1, or `None`.

    An absent scope hash is no problem here: it has a code of its own.
    """
    return (
        _time_problem(claims, hard_max_ttl_s)
        or _shared_problem(
            claims.token_version,
            claims.sub,
            claims.aud,
            claims.scope,
            claims.token_scope_hash_b64u,
            claims.iss,
            claims.owner_did,
            claims.controller_did,
            claims.agent_did,
            claims.policy_hash_b64u,
            claims.control_plane_policy_hash_b64u,
            claims.client_id,
            claims.org_id,
            claims.token_lane,
        )
        or _single_problem(claims)
        or (_rare_problem(claims) if _has_rare(claims) else None)
    )


def _time_problem(claims: Claims, hard_max_ttl_s: int) -> str | None:
    if not 0 <= claims.iat <= forms.MAX_INTEGER:
        return "iat"
    if not claims.iat < claims.exp <= forms.MAX_INTEGER or claims.exp - claims.iat > hard_max_ttl_s:
        return "exp"
    return None


@lru_cache(maxsize=2048)
def _shared_problem(
    version: str, sub: str, aud: str | tuple[str, ...], scopes: tuple[str, ...], scope_hash: str, *optional: str | None
) -> str | None:
    if version != VERSION:
        return "token_version"
    if not forms.is_subject(sub):
        return "sub"
    if not forms.is_audience(aud):
        return "aud"
    if not forms.are_scopes(scopes):
        return "scope"
    if scope_hash and not b64u.is_hash43(scope_hash):
        return "token_scope_hash_b64u"
    for (name, fits), value in zip(_SHARED_FORMS, optional, strict=True):
        if value is not None and not fits(value):
            return name
    return _chain_problem(sub, optional[1], optional[2], optional[3], optional[8])


def _chain_problem(sub: str, owner: str | None, controller: str | None, agent: str | None, token_lane: str | None) -> str | None:
    if token_lane != CANONICAL:
        return None
    if owner is None:
        return "owner_did"
    if controller is None:
        return "controller_did"
    return None if agent == sub else "agent_did"


def _single_problem(claims: Claims) -> str | None:
    if claims.mission_id is not None and not forms.is_mission(claims.mission_id):
        return "mission_id"
    if claims.run_id is not None and not forms.is_binding(claims.run_id):
        return "run_id"
    if claims.job_id is not None and not forms.is_binding(claims.job_id):
        return "job_id"
    if claims.spend_cap is not None and not forms.is_spend_cap(claims.spend_cap):
        return "spend_cap"
    if claims.jti is not None and not forms.is_uuid4(claims.jti):
        return "jti"
    if claims.nonce is not None and not forms.is_uuid4(claims.nonce):
        return "nonce"
    return None


def _rare_problem(claims: Claims) -> str | None:
    for name, fits in _RARE_FORMS:
        value = getattr(claims, name)
        if value is not None and not fits(value):
            return name
    return _delegation_problem(claims) or _actor_problem(claims)


def _has_rare(claims: Claims) -> bool:
    return not (
        claims.owner_ref is None
        and claims.payment_account_did is None
        and claims.delegation_id is None
        and claims.delegator_did is None
        and claims.delegate_did is None
        and claims.delegation_policy_hash_b64u is None
        and claims.delegation_spend_cap_minor is None
        and claims.delegation_expires_at is None
        and claims.lineage is None
        and claims.act is None
        and claims.may_act is None
    )


def _delegation_problem(claims: Claims) -> str | None:
    if claims.delegation_id is None and claims.delegator_did is None and claims.delegate_did is None:
        for name in ("delegation_policy_hash_b64u", "delegation_spend_cap_minor", "delegation_expires_at"):
            if getattr(claims, name) is not None:
                return name
        return None
    if claims.delegation_id is None:
        return "delegation_id"
    if claims.delegator_did is None or claims.delegator_did != claims.owner_did:
        return "delegator_did"
    return None if claims.delegate_did == claims.sub else "delegate_did"


def _actor_problem(claims: Claims) -> str | None:
    actor, depth = claims.act, 0
    while actor is not None:
        depth += 1
        if depth > forms.MOST_ACTORS or not forms.is_subject(actor.sub):
            return "act"
        actor = actor.act
    if claims.may_act is not None:
        subjects = claims.may_act.sub
        if not 1 <= len(subjects) <= forms.MOST_ACTORS or not all(forms.is_subject(sub) for sub in subjects):
            return "may_act"
    return None
