"""The export bundle: its closed shape, its hash and its signature (identity.md §8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from clawscope.identity.domain import errors
from clawscope.identity.domain.policy import chosen_scopes
from clawscope.identity.domain.signing import fits_grammar, is_signed
from clawscope.kernel.clock import iso_ms
from clawscope.protocol import b64u, jcs
from clawscope.protocol.digest import sha256_b64u
from clawscope.protocol.keys import SigningKey

_SIGNED_TEXT = b"clawscope/identity-export/v2\n"


class _Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A closed shape."""


class PolicyShape(_Closed, frozen=True):
    """A controller's policy in a bundle."""

    policy_version: Literal["1"]
    mode: Literal["owner_bound"]
    owner_did: str
    allowed_sensitive_scopes: list[str]
    policy_hash_b64u: str
    updated_at: int
    updated_at_iso: str | None = None


class ControllerShape(_Closed, frozen=True):
    """The controller in a bundle; nothing that pends."""

    controller_did: str
    owner_did: str
    active: bool
    registered_at: int
    last_challenge_id: str
    policy: PolicyShape
    transfer_state: Literal["active", "transferred"]
    version: int
    origin_issuer: str
    consent: Literal["signed", "owner_only"]
    registered_at_iso: str | None = None
    transferred_at: int | None = None
    transferred_at_iso: str | None = None
    transferred_from_owner_did: str | None = None
    rotated_from_did: str | None = None
    rotation_confirmed_at: int | None = None
    rotation_confirmed_at_iso: str | None = None


class AgentShape(_Closed, frozen=True):
    """An agent in a bundle."""

    binding_version: Literal["1"]
    controller_did: str
    agent_did: str
    owner_did: str
    active: bool
    registered_at: int
    last_challenge_id: str
    policy_hash_b64u: str
    consent: Literal["signed", "owner_only"]
    registered_at_iso: str | None = None
    rotated_from_did: str | None = None
    rotation_confirmed_at: int | None = None
    rotation_confirmed_at_iso: str | None = None


class AliasShape(_Closed, frozen=True):
    """An alias in a bundle."""

    alias_version: Literal["1"]
    role: Literal["controller", "agent"]
    from_did: str
    to_did: str
    owner_did: str
    active: Literal[True]
    confirmed_at: int
    confirmed_at_iso: str | None = None
    controller_did: str | None = None


class PayloadShape(_Closed, frozen=True):
    """What a bundle carries."""

    bundle_version: Literal["2"]
    owner_did: str
    controller: ControllerShape
    agent_bindings: list[AgentShape]
    rotation_aliases: list[AliasShape]


class BundleShape(_Closed, frozen=True):
    """A whole bundle."""

    envelope_version: Literal["2"]
    envelope_type: Literal["identity_export_bundle"]
    issuer: str
    audience: list[str]
    sequence: int
    exported_at: int
    exported_at_iso: str
    expires_at: int
    bundle_hash_b64u: str
    hash_algorithm: Literal["SHA-256"]
    signature_algorithm: Literal["Ed25519"]
    signer_kid: str
    signature_b64u: str
    payload: PayloadShape


@dataclass(frozen=True, slots=True)
class ImportMark:
    """The last bundle taken of a source: its number and hash, and the record's version it left here."""

    sequence: int
    bundle_hash_b64u: str
    version: int


def read_bundle(raw: Mapping[str, Any]) -> BundleShape:
    """The bundle in its closed shape. Raises `IMPORT_BUNDLE_INVALID`, saying where and not what."""
    try:
        bundle = msgspec.convert(dict(raw), BundleShape)
    except msgspec.ValidationError as error:
        raise errors.IMPORT_BUNDLE_INVALID(str(error)[:200]) from None
    fault = _fault(bundle.payload)
    if fault is not None or bundle.exported_at_iso != iso_ms_or_none(bundle.exported_at):
        raise errors.IMPORT_BUNDLE_INVALID(fault or "exported_at_iso: is not exported_at")
    return bundle


def iso_ms_or_none(at: int) -> str | None:
    """Epoch seconds as UTC text, if the calendar has them."""
    return iso_ms(at) if 0 <= at < 253_402_300_800 else None


def payload_hash(payload: Any) -> str | None:
    """The JCS hash of a payload as it was sent; `None` for a value without canonical text."""
    try:
        return sha256_b64u(jcs.canonical(payload))
    except ValueError:
        return None


def signed_text(envelope: Mapping[str, Any]) -> bytes:
    """What the exporter signs: everything but the signature."""
    return _SIGNED_TEXT + jcs.canonical({name: value for name, value in envelope.items() if name != "signature_b64u"})


def is_signed_by(envelope: Mapping[str, Any], public: bytes) -> bool:
    """Whether the bundle carries this key's signature over all of itself."""
    try:
        return is_signed(public, signed_text(envelope), str(envelope["signature_b64u"]))
    except ValueError:
        return False


def sealed(unsigned: Mapping[str, Any], key: SigningKey) -> dict[str, Any]:
    """The bundle with its signature."""
    return {**unsigned, "signature_b64u": b64u.encode(key.sign(signed_text(unsigned)))}


def _fault(payload: PayloadShape) -> str | None:
    controller = payload.controller
    agents = [agent.agent_did for agent in payload.agent_bindings]
    former = [(alias.role, alias.from_did) for alias in payload.rotation_aliases]
    named = [
        payload.owner_did,
        controller.controller_did,
        *agents,
        *(did for a in payload.rotation_aliases for did in (a.from_did, a.to_did)),
    ]
    if not all(fits_grammar(did) for did in named):
        return "payload: names something that is not a DID"
    if len(set(agents)) != len(agents) or len(set(former)) != len(former):
        return "payload: a DID occurs twice"
    if chosen_scopes(controller.policy.allowed_sensitive_scopes) is None or controller.version < 1:
        return "payload.controller: its policy or version is not one of ours"
    owners = {controller.owner_did, controller.policy.owner_did, *(agent.owner_did for agent in payload.agent_bindings)}
    if owners != {payload.owner_did} or any(agent.controller_did != controller.controller_did for agent in payload.agent_bindings):
        return "payload: holds a record of another owner or controller"
    if not _lead_home(payload, set(agents)):
        return "payload.rotation_aliases: one is foreign or leads elsewhere"
    return None


def _lead_home(payload: PayloadShape, agents: set[str]) -> bool:
    """Whether every alias is this owner's, and ends at the controller or, under it, at a DID that is no former one."""
    own = payload.controller.controller_did
    for alias in payload.rotation_aliases:
        under = own if alias.role == "agent" else None
        if alias.owner_did != payload.owner_did or alias.controller_did != under:
            return False
    ends = final_dids(payload.rotation_aliases)
    homes = {"controller": {own}, "agent": agents}
    return ends is not None and all(final in homes[role] for (role, _), final in ends.items())


def final_dids(aliases: Sequence[AliasShape]) -> dict[tuple[str, str], str] | None:
    """Where each alias ends, by role and former DID; `None` when some go round in circles."""
    steps = {(alias.role, alias.from_did): alias.to_did for alias in aliases}
    ends: dict[tuple[str, str], str] = {}
    for role, start in steps:
        did, passed = start, set[str]()
        while (role, did) in steps:
            if did in passed:
                return None
            passed.add(did)
            did = steps[role, did]
        ends[role, start] = did
    return ends
