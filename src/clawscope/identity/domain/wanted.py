"""A request for a control-plane challenge, judged for its form (identity.md §3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from clawscope.identity.domain import errors, purposes
from clawscope.identity.domain.policy import chosen_scopes, policy_hash
from clawscope.identity.domain.purposes import PURPOSES, Purpose
from clawscope.identity.domain.signing import fits_grammar
from clawscope.kernel.codes import INVALID_REQUEST
from clawscope.kernel.text import has_controls
from clawscope.protocol.b64u import is_hash43

_DIDS = ("owner_did", "controller_did", "agent_did", "from_did", "to_did", "transfer_to_owner_did")
_MOST_AUDIENCE = 4
_MOST_ACCOUNT = 128


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a challenge is asked for; `None` where a member is absent."""

    owner_did: str
    purpose: str
    message_version: str = "1"
    controller_did: str | None = None
    agent_did: str | None = None
    allowed_sensitive_scopes: tuple[str, ...] | None = None
    policy_hash_b64u: str | None = None
    rotation_role: str | None = None
    from_did: str | None = None
    to_did: str | None = None
    transfer_to_owner_did: str | None = None
    audience: tuple[str, ...] | None = None
    bundle_hash_b64u: str | None = None
    account_id: str | None = None
    context_parts: tuple[str, ...] = ()

    @property
    def kind(self) -> Purpose:
        """What its purpose needs. Raises `INVALID_REQUEST` for a purpose there is not."""
        found = PURPOSES.get(self.purpose)
        if found is None:
            raise INVALID_REQUEST("purpose: there is no such purpose", fix="one of " + ", ".join(PURPOSES))
        return found

    @property
    def parts(self) -> tuple[str, ...]:
        """Client-chosen context where the purpose takes it; elsewhere it is ignored."""
        return self.context_parts if self.purpose in purposes.WITH_CONTEXT_PARTS else ()

    @property
    def judged_did(self) -> str | None:
        """The controller whose state the request depends on: named, or itself about to rotate."""
        if self.purpose == purposes.CONFIRM_ROTATION and self.rotation_role == "controller":
            return self.from_did
        return self.controller_did


@dataclass(frozen=True, slots=True)
class Bound:
    """The fields a challenge is bound to, and how they are echoed."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def echo(self) -> dict[str, Any]:
        """Every bound field; unused ones `None`."""
        return {name: self.values.get(name) for name in ECHOED}


_NOT_BOUND = ("owner_did", "purpose", "message_version", "context_parts")
ECHOED = (*(one.name for one in fields(Wanted) if one.name not in _NOT_BOUND), "transfer_action")


def judge_form(wanted: Wanted, versions: tuple[str, ...]) -> None:
    """The checks of the request alone, in order: (1) `INVALID_CONTEXT_PARTS`, (2) `INVALID_REQUEST`, (3) `INVALID_SENSITIVE_POLICY`."""
    if not purposes.are_context_parts(wanted.parts):  # 1
        raise errors.INVALID_CONTEXT_PARTS("context_parts", fix="at most 8 printable texts of 1 to 256 characters, without |")
    _judge_members(wanted)  # 2
    if wanted.message_version not in versions:
        raise INVALID_REQUEST("message_version: is not offered", fix="one of " + ", ".join(versions))
    if wanted.allowed_sensitive_scopes is not None and chosen_scopes(wanted.allowed_sensitive_scopes) is None:  # 3
        raise errors.INVALID_SENSITIVE_POLICY("allowed_sensitive_scopes", fix="1 to 64 scopes that start control:")


def bound_fields(wanted: Wanted) -> dict[str, Any]:
    """What the challenge is bound to; a policy given as scopes is bound by its hash too."""
    kind = wanted.kind
    values = {name: getattr(wanted, name) for name in (*kind.needs, *kind.takes)}
    scopes = chosen_scopes(wanted.allowed_sensitive_scopes) if wanted.allowed_sensitive_scopes is not None else None
    if scopes is not None:
        values |= {"allowed_sensitive_scopes": list(scopes), "policy_hash_b64u": policy_hash(wanted.owner_did, scopes)}
    if wanted.audience is not None:
        values["audience"] = list(wanted.audience)
    if "transfer_action" in kind.fixed:
        values["transfer_action"] = kind.fixed["transfer_action"]
    return {name: value for name, value in values.items() if value is not None}


def _judge_members(wanted: Wanted) -> None:
    kind = wanted.kind
    needed = [*kind.needs, *(["controller_did"] if wanted.rotation_role == "agent" else [])]
    for name in needed:
        if getattr(wanted, name) is None:
            raise INVALID_REQUEST(f"{name}: is required for {wanted.purpose}")
    for name in ECHOED[:-1]:
        if getattr(wanted, name) is not None and name not in (*kind.needs, *kind.takes):
            raise INVALID_REQUEST(f"{name}: has no place in {wanted.purpose}", fix="leave it out")
    for name in _DIDS:
        value = getattr(wanted, name)
        if value is not None and not fits_grammar(value):
            raise INVALID_REQUEST(f"{name}: is not a DID of at most 256 characters")
    _judge_others(wanted)


def _judge_others(wanted: Wanted) -> None:
    if wanted.rotation_role is not None and wanted.rotation_role not in purposes.ROLES:
        raise INVALID_REQUEST("rotation_role: is controller or agent")
    if wanted.rotation_role == "controller" and wanted.controller_did not in (None, wanted.from_did):
        raise INVALID_REQUEST("controller_did: a controller that rotates is from_did itself")
    for name in ("policy_hash_b64u", "bundle_hash_b64u"):
        value = getattr(wanted, name)
        if value is not None and not is_hash43(value):
            raise INVALID_REQUEST(f"{name}: is not a hash of 43 base64url characters")
    if wanted.policy_hash_b64u is not None and wanted.allowed_sensitive_scopes is not None:
        raise INVALID_REQUEST("policy_hash_b64u: give the scopes or their hash, not both")
    audience = wanted.audience
    if audience is not None and not (1 <= len(audience) <= _MOST_AUDIENCE and all(fits_grammar(one) for one in audience)):
        raise INVALID_REQUEST("audience: is a list of 1 to 4 DIDs")
    account = wanted.account_id
    if account is not None and (len(account) > _MOST_ACCOUNT or has_controls(account)):
        raise INVALID_REQUEST("account_id: is at most 128 characters without controls")
