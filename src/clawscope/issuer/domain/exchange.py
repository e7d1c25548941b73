"""Attenuation by token exchange (RFC 8693; tokens.md §9): a child only narrows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from clawscope.issuer.domain import errors
from clawscope.issuer.domain.request import Asked
from clawscope.kernel.money import dollars_to_micros, micros_to_number
from clawscope.protocol import scope as scopes
from clawscope.protocol.claims import Claims, audiences

_BOUND = ("run_id", "job_id", "mission_id", "policy_hash_b64u")


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What the client asks of the child; absent members are the subject's."""

    scope: tuple[str, ...] | None = None
    audience: tuple[str, ...] | None = None
    expires_in: int | None = None
    spend_micros: int | None = None
    run_id: str | None = None
    job_id: str | None = None
    mission_id: str | None = None
    policy_hash_b64u: str | None = None


def narrowed(
    subject: Claims, actor: Claims | None, asked: Narrowing, *, now: int, default_ttl_s: int, max_depth: int
) -> tuple[dict[str, Any], int]:
    """The child's claims (all but its times and names) and its `exp`.

    Raises, in order: `EXCHANGE_SCOPE_WIDENED`, `EXCHANGE_AUDIENCE_WIDENED`, `EXCHANGE_TTL_WIDENED`, `EXCHANGE_SPEND_CAP_WIDENED`,
    `EXCHANGE_BINDING_CHANGED`, `EXCHANGE_DEPTH_EXCEEDED`, `EXCHANGE_ACTOR_NOT_ALLOWED`.
    """
    child: dict[str, Any] = msgspec.to_builtins(subject)
    for name in ("iat", "exp", "jti", "nonce"):
        child.pop(name, None)
    child["scope"] = list(_scope(subject, asked))
    child["token_scope_hash_b64u"] = scopes.scope_hash(tuple(child["scope"]))
    child["aud"] = _audience(subject, asked)
    expires = _expires(subject, asked, now, default_ttl_s)
    _bind(child, subject, asked)
    lineage = (*(subject.lineage or ()), subject.jti or "")
    if len(lineage) > max_depth or subject.jti is None:
        raise errors.EXCHANGE_DEPTH_EXCEEDED(f"a lineage holds at most {max_depth} tokens")
    child["lineage"] = list(lineage)
    if actor is not None:
        child["act"] = _acting(subject, actor, max_depth)
    return child, expires


def _scope(subject: Claims, asked: Narrowing) -> tuple[str, ...]:
    if asked.scope is None:
        return subject.scope
    for one in asked.scope:
        if not scopes.any_covers(subject.scope, one):
            raise errors.EXCHANGE_SCOPE_WIDENED("scope", fix="ask only for scopes the subject token covers")
    return asked.scope


def _audience(subject: Claims, asked: Narrowing) -> str | list[str]:
    held = audiences(subject)
    if asked.audience is None:
        return subject.aud if isinstance(subject.aud, str) else list(held)
    if any(one not in held for one in asked.audience):
        raise errors.EXCHANGE_AUDIENCE_WIDENED("audience", fix="ask only for audiences of the subject token")
    return asked.audience[0] if len(asked.audience) == 1 else list(asked.audience)


def _expires(subject: Claims, asked: Narrowing, now: int, default_ttl_s: int) -> int:
    if asked.expires_in is None:
        return min(now + default_ttl_s, subject.exp)
    if asked.expires_in <= 0:
        raise errors.INVALID_TTL("expires_in")
    if now + asked.expires_in > subject.exp:
        raise errors.EXCHANGE_TTL_WIDENED("expires_in", fix=f"at most {max(0, subject.exp - now)} s are left")
    return now + asked.expires_in


def _bind(child: dict[str, Any], subject: Claims, asked: Narrowing) -> None:
    if asked.spend_micros is not None:
        if subject.spend_cap is not None and asked.spend_micros > dollars_to_micros(subject.spend_cap):
            raise errors.EXCHANGE_SPEND_CAP_WIDENED("spend_cap", fix="ask for at most the subject's cap")
        child["spend_cap"] = micros_to_number(asked.spend_micros)
    for name in _BOUND:
        wanted, held = getattr(asked, name), getattr(subject, name)
        if wanted is None:
            continue
        if held is not None and held != wanted:
            raise errors.EXCHANGE_BINDING_CHANGED(name, fix="leave it out: the subject's binding is copied")
        child[name] = wanted


def _acting(subject: Claims, actor: Claims, max_depth: int) -> dict[str, Any]:
    if subject.may_act is None or actor.sub not in subject.may_act.sub:
        raise errors.EXCHANGE_ACTOR_NOT_ALLOWED("actor_token", fix="the subject token must name the actor in may_act")
    former = None if subject.act is None else msgspec.to_builtins(subject.act)
    depth, inner = 1, former
    while inner is not None:
        depth, inner = depth + 1, inner.get("act")
    if depth > max_depth:
        raise errors.EXCHANGE_DEPTH_EXCEEDED(f"at most {max_depth} actors in a row")
    return {"sub": actor.sub, **({"act": former} if former is not None else {})}


def as_asked(child: Mapping[str, Any], tier: str, exp: int) -> Asked:
    """The child as a request, so that today's tier, locks and (for sensitive scopes) the chain are judged like any other issue."""
    aud = child["aud"]
    names = ("owner_did", "controller_did", "agent_did", "policy_hash_b64u", "mission_id", "run_id", "job_id", "payment_account_did")
    copied: dict[str, Any] = {name: child.get(name) for name in names}
    try:
        spend = dollars_to_micros(child["spend_cap"]) if "spend_cap" in child else None
    except ValueError:
        raise errors.SPEND_CAP_INVALID("spend_cap") from None
    return Asked(
        lane=child.get("token_lane", "legacy"),
        sub=child["sub"],
        aud=aud if isinstance(aud, str) else tuple(aud),
        scope=tuple(child["scope"]),
        tier=tier,
        exp=exp,
        spend_micros=spend,
        **copied,
    )
