"""What somebody asks a token to be, judged field by field in the order of tokens.md §2."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated

import msgspec

from clawscope.issuer.domain import errors
from clawscope.kernel.codes import INVALID_REQUEST
from clawscope.kernel.errors import Code, Refusal
from clawscope.kernel.money import dollars_to_micros
from clawscope.kernel.text import has_controls, is_printable_ascii, trimmed
from clawscope.protocol import b64u, did
from clawscope.protocol import scope as scopes

LEGACY, CANONICAL = "legacy", "canonical"
Number = Annotated[int | Decimal | None, msgspec.Meta(description="A JSON number.")]
_MOST_SUB, _MOST_AUDIENCES, _MOST_AUDIENCE = 512, 16, 256
_MOST_MAY_ACT, _MOST_EVIDENCE = 8, 16
_MOST_SECOND = 2**53 - 1


class MayActFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may become the actor of a child token."""

    sub: list[str]


class IssueFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The members of an issue request (tokens.md §2); `ttl_sec` and `exp` in seconds, `spend_cap` in dollars."""

    sub: str
    aud: str | list[str]
    scope: list[str]
    tier: str | None = None
    ttl_sec: Number = None
    exp: Number = None
    owner_did: str | None = None
    controller_did: str | None = None
    agent_did: str | None = None
    token_lane: str | None = None
    policy_hash_b64u: str | None = None
    control_plane_policy_hash_b64u: str | None = None
    payment_account_did: str | None = None
    spend_cap: Number = None
    delegation_id: str | None = None
    delegator_did: str | None = None
    delegate_did: str | None = None
    delegation_policy_hash_b64u: str | None = None
    delegation_spend_cap_minor: str | None = None
    delegation_expires_at: Number = None
    owner_ref: str | None = None
    mission_id: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    may_act: MayActFields | None = None
    evidence_required: list[str] | None = None


@dataclass(frozen=True, slots=True)
class FieldLimits:
    """The settings that bound single fields."""

    max_scope_items: int
    max_scope_length: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose every field is well-formed. `ttl_s` and `exp` as asked (floored); money in micro-dollars."""

    lane: str
    sub: str
    aud: str | tuple[str, ...]
    scope: tuple[str, ...]
    tier: str | None = None
    ttl_s: int | None = None
    exp: int | None = None
    owner_did: str | None = None
    controller_did: str | None = None
    agent_did: str | None = None
    policy_hash_b64u: str | None = None
    control_plane_policy_hash_b64u: str | None = None
    payment_account_did: str | None = None
    spend_micros: int | None = None
    delegation_id: str | None = None
    delegator_did: str | None = None
    delegate_did: str | None = None
    delegation_policy_hash_b64u: str | None = None
    delegation_spend_cap_minor: str | None = None
    delegation_expires_at: int | None = None
    owner_ref: str | None = None
    mission_id: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    may_act: tuple[str, ...] = ()
    evidence_required: tuple[str, ...] = ()

    @property
    def audiences(self) -> tuple[str, ...]:
        """The audiences as a tuple."""
        return (self.aud,) if isinstance(self.aud, str) else self.aud

    def with_chain_default(self) -> Asked:
        """In the canonical lane `agent_did` defaults to `sub` (§2.3)."""
        defaults = self.lane == CANONICAL and self.agent_did is None and did.is_did(self.sub)
        return replace(self, agent_did=self.sub) if defaults else self


def read_request(fields: IssueFields, lane: str, limits: FieldLimits) -> Asked:
    """The fields in table order (§2.2, 3), then what must agree between them (4). Raises the first refusal."""
    tier = _tier(fields.tier)
    asked = Asked(
        lane=lane,
        tier=tier,
        sub=_subject(fields.sub),
        aud=_audience(fields.aud),
        scope=_scopes(fields.scope, limits),
        ttl_s=_floored(fields.ttl_sec, errors.INVALID_TTL, "ttl_sec"),
        exp=_floored(fields.exp, errors.INVALID_EXP, "exp"),
        owner_did=_did(fields.owner_did, errors.OWNER_DID_INVALID, "owner_did"),
        controller_did=_did(fields.controller_did, errors.CONTROLLER_DID_INVALID, "controller_did"),
        agent_did=_did(fields.agent_did, errors.AGENT_DID_INVALID, "agent_did"),
        policy_hash_b64u=_lane_then_hash(fields, lane),
        control_plane_policy_hash_b64u=_hash43(
            fields.control_plane_policy_hash_b64u, errors.CONTROL_POLICY_HASH_INVALID, "control_plane_policy_hash_b64u"
        ),
        payment_account_did=_did(fields.payment_account_did, errors.PAYMENT_ACCOUNT_CLAIM_INVALID, "payment_account_did"),
        spend_micros=_spend(fields.spend_cap),
        delegation_id=_opaque(fields.delegation_id, 128, "delegation_id"),
        delegator_did=_did(fields.delegator_did, errors.DELEGATOR_DID_INVALID, "delegator_did"),
        delegate_did=_did(fields.delegate_did, errors.DELEGATE_DID_INVALID, "delegate_did"),
        delegation_policy_hash_b64u=_hash43(
            None if fields.delegation_policy_hash_b64u is None else trimmed(fields.delegation_policy_hash_b64u),
            errors.DELEGATION_POLICY_HASH_INVALID,
            "delegation_policy_hash_b64u",
        ),
        delegation_spend_cap_minor=_minor(fields.delegation_spend_cap_minor),
        delegation_expires_at=_floored(fields.delegation_expires_at, errors.DELEGATION_EXPIRED, "delegation_expires_at"),
        owner_ref=_opaque(fields.owner_ref, 256, "owner_ref"),
        mission_id=_opaque(fields.mission_id, 256, "mission_id"),
        run_id=_binding(fields.run_id, "run_id"),
        job_id=_binding(fields.job_id, "job_id"),
        may_act=_may_act(fields.may_act),
        evidence_required=promised_evidence(fields.evidence_required),
    )
    _agree(asked, fields.token_lane)
    return asked


def _agree(asked: Asked, lane_given: str | None) -> None:
    """(4) of §2.2: delegate and delegator, delegation on the legacy route, incomplete delegation, then the lane."""
    if asked.delegate_did is not None and asked.delegate_did != asked.sub:
        raise errors.DELEGATE_DID_SUB_MISMATCH("delegate_did", fix="set delegate_did to sub")
    if asked.delegator_did is not None and asked.delegator_did != asked.owner_did:
        raise errors.DELEGATOR_OWNER_MISMATCH("delegator_did", fix="set delegator_did to owner_did")
    trio = (asked.delegation_id, asked.delegator_did, asked.delegate_did)
    extras = (asked.delegation_policy_hash_b64u, asked.delegation_spend_cap_minor, asked.delegation_expires_at)
    if any(part is not None for part in (*trio, *extras)):
        if asked.lane == LEGACY:
            raise errors.DELEGATION_CANONICAL_REQUIRED("delegation members", fix="use /v1/tokens/issue/canonical")
        if any(part is None for part in trio):
            raise errors.DELEGATION_INCOMPLETE("delegation members", fix="give delegation_id, delegator_did and delegate_did, or none")
    if lane_given is not None and lane_given != asked.lane:
        raise errors.TOKEN_LANE_MISMATCH("token_lane", fix=f"this route issues lane {asked.lane}")


def _bad(name: str, what: str) -> Refusal:
    return INVALID_REQUEST(f"{name}: {what}")


def _trimmed_or_none(text: str | None) -> str | None:
    return (trimmed(text) or None) if text is not None else None


def _tier(text: str | None) -> str | None:
    if text is not None and not (0 < len(text) <= 64):
        raise errors.TIER_UNKNOWN("tier", fix="name a tier of the policy")
    return text


def _subject(text: str) -> str:
    value = trimmed(text)
    if not value:
        raise _bad("sub", "is blank")
    scheme, colon, rest = value.partition(":")
    if len(value) > _MOST_SUB or not is_printable_ascii(value) or not (scheme and colon and rest):
        raise errors.SUB_INVALID("sub", fix="use scheme:value, such as did:key:… or email:…")
    if scheme == "did" and not did.is_did(value):
        raise errors.SUB_INVALID("sub", fix="this DID does not fit the DID grammar")
    return value


def _audience(given: str | list[str]) -> str | tuple[str, ...]:
    values = tuple(dict.fromkeys(trimmed(one) for one in ([given] if isinstance(given, str) else given)))
    if not 1 <= len(values) <= _MOST_AUDIENCES:
        raise _bad("aud", f"name 1 to {_MOST_AUDIENCES} audiences")
    for value in values:
        if not (1 <= len(value) <= _MOST_AUDIENCE and is_printable_ascii(value, blanks=False)):
            raise _bad("aud", "an audience is 1 to 256 printable ASCII characters without blanks")
    return values[0] if isinstance(given, str) else values


def _scopes(given: list[str], limits: FieldLimits) -> tuple[str, ...]:
    if not given:
        raise _bad("scope", "name at least one scope")
    if len(given) > limits.max_scope_items:
        raise errors.SCOPE_TOO_LARGE("scope", fix=f"at most {limits.max_scope_items} scopes")
    tidy = [trimmed(one) for one in given]
    if not all(tidy):
        raise _bad("scope", "a scope is blank")
    if any(len(one) > limits.max_scope_length for one in tidy):
        raise errors.SCOPE_ITEM_TOO_LONG("scope", fix=f"at most {limits.max_scope_length} characters each")
    if not all(scopes.is_scope_text(one) for one in tidy):
        raise errors.SCOPE_INVALID("scope", fix="use the scope-token characters of RFC 6749")
    if not all(scopes.wildcard_is_well_placed(one) for one in tidy):
        raise errors.SCOPE_INVALID("scope", fix="put * alone or as the whole last segment")
    return tuple(dict.fromkeys(tidy))


def _floored(given: int | Decimal | None, code: Code, name: str) -> int | None:
    if given is None:
        return None
    if given <= 0:
        raise code(name, fix="give seconds above zero")
    # Beyond every lifetime anyway: `judge_lifetime` refuses it in its turn, and nothing is computed with a monstrous number.
    return math.floor(min(given, _MOST_SECOND))


def _did(text: str | None, code: Code, name: str) -> str | None:
    value = _trimmed_or_none(text)
    if value is not None and not did.is_did(value):
        raise code(name, fix="give a DID such as did:key:… or did:web:…")
    return value


def _lane_then_hash(fields: IssueFields, lane: str) -> str | None:
    if fields.token_lane is not None and fields.token_lane not in (LEGACY, CANONICAL):
        raise errors.TOKEN_LANE_INVALID("token_lane", fix=f"leave it out or say {lane}")
    return _hash43(fields.policy_hash_b64u, errors.POLICY_HASH_INVALID, "policy_hash_b64u")


def _hash43(text: str | None, code: Code, name: str) -> str | None:
    if text is not None and not b64u.is_hash43(text):
        raise code(name, fix="give 43 base64url characters without padding")
    return text


def _spend(given: int | Decimal | None) -> int | None:
    if given is None:
        return None
    try:
        return dollars_to_micros(given)
    except ValueError as error:
        raise errors.SPEND_CAP_INVALID("spend_cap", fix=str(error)) from None


def _minor(text: str | None) -> str | None:
    value = None if text is None else trimmed(text)
    if value is not None and not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise errors.DELEGATION_SPEND_CAP_INVALID("delegation_spend_cap_minor", fix="give cents as text of 1 to 18 digits")
    return value


def _opaque(text: str | None, most: int, name: str) -> str | None:
    if text is not None and (not 1 <= len(text) <= most or has_controls(text)):
        raise _bad(name, f"1 to {most} characters without controls")
    return text


def _binding(text: str | None, name: str) -> str | None:
    if text is not None and (not 1 <= len(text) <= 128 or not is_printable_ascii(text)):
        raise _bad(name, "1 to 128 printable ASCII characters")
    return text


def _may_act(given: MayActFields | None) -> tuple[str, ...]:
    if given is None:
        return ()
    if not 1 <= len(given.sub) <= _MOST_MAY_ACT:
        raise _bad("may_act.sub", f"name 1 to {_MOST_MAY_ACT} subjects")
    judge: Callable[[str], str] = _subject
    return tuple(dict.fromkeys(judge(one) for one in given.sub))


def promised_evidence(given: list[str] | None) -> tuple[str, ...]:
    """The names promised as evidence. Raises `INVALID_REQUEST` for more than 16 or an ill-formed one."""
    names = tuple(dict.fromkeys(given or ()))
    if len(names) > _MOST_EVIDENCE or not all(_is_evidence(one) for one in names):
        raise _bad("evidence_required", "at most 16 names of lower-case letters, digits and underscores")
    return names


def _is_evidence(name: str) -> bool:
    return 1 <= len(name) <= 64 and name.isascii() and name[0].islower() and all(c.islower() or c.isdigit() or c == "_" for c in name)
