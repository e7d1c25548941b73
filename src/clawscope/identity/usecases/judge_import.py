"""Whether a bundle may be taken here: all checks precede all writes (identity.md §8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawscope.identity.domain import errors
from clawscope.identity.domain.bundle import BundleShape, ImportMark, is_signed_by, payload_hash
from clawscope.identity.domain.records import Controller
from clawscope.identity.domain.rules import Rules
from clawscope.identity.ports import StatementKeys, Work

_EARLY_S = 60


@dataclass(frozen=True, slots=True)
class Offered:
    """A bundle as it was sent, and as it reads."""

    raw: Mapping[str, Any]
    bundle: BundleShape
    owner_did: str


def judge_envelope(offered: Offered, keys: StatementKeys | None, rules: Rules, now: int) -> None:
    """Steps 3 to 6, of the bundle alone."""
    bundle = offered.bundle
    if payload_hash(offered.raw["payload"]) != bundle.bundle_hash_b64u:  # 3
        raise errors.IMPORT_BUNDLE_TAMPERED("the payload's hash is another")
    if min(bundle.expires_at, bundle.exported_at + rules.import_max_age_s) < now:  # 4
        raise errors.IMPORT_BUNDLE_STALE("the bundle is past its time")
    public = _exporter(bundle, keys, rules)  # 5
    if public is None or not is_signed_by(offered.raw, public):
        raise errors.IMPORT_BUNDLE_SIGNATURE_INVALID("issuer, signer_kid and signature must be a trusted exporter's")
    if bundle.exported_at > now + _EARLY_S:  # 6
        raise errors.IMPORT_BUNDLE_NOT_YET_VALID("wait, or set the clocks right")
    if rules.service_did not in bundle.audience:
        raise errors.IMPORT_AUDIENCE_MISMATCH("export it for this service's DID")
    if bundle.payload.owner_did != offered.owner_did:
        raise errors.IMPORT_OWNER_MISMATCH("the owner of the bundle imports it")


def judge_live(work: Work, offered: Offered, live: Controller | None) -> None:
    """Steps 7 and 8, against what stands here."""
    payload = offered.bundle.payload
    if live is not None and live.is_pending:  # 7
        raise errors.CONTROLLER_TRANSFER_FROZEN("confirm or cancel the transfer, or wait for its end")
    ended = not payload.controller.active or not all(agent.active for agent in payload.agent_bindings)  # 8
    ended = ended or (live is not None and not live.active)
    named = [payload.owner_did, payload.controller.controller_did, *(agent.agent_did for agent in payload.agent_bindings)]
    for did in named:
        binding = work.bindings.get(did)
        ended = ended or (binding is not None and not binding.active)
    for shape in payload.agent_bindings:
        agent = work.agents.get(shape.controller_did, shape.agent_did)
        ended = ended or (agent is not None and not agent.active)
    if ended:
        raise errors.IMPORT_REVOKED_RECORD("what was revoked, deactivated or rotated out is never revived")


def judge_conflicts(work: Work, offered: Offered, live: Controller | None) -> None:
    """Steps 10 and 11, in order."""
    payload = offered.bundle.payload
    if live is not None and live.owner_did != payload.owner_did:  # 10
        raise errors.IMPORT_CONTROLLER_CONFLICT("another owner holds this controller here")
    for alias in payload.rotation_aliases:
        former = work.controllers.get(alias.from_did) if alias.role == "controller" else None
        if former is not None and (former.rotated_to_did is None or former.owner_did != payload.owner_did):
            raise errors.IMPORT_CONTROLLER_CONFLICT("a former controller of the bundle stands here by itself")
    for alias in payload.rotation_aliases:
        agent = work.agents.get(alias.controller_did or "", alias.from_did) if alias.role == "agent" else None
        if agent is not None and agent.rotated_to_did is None:
            raise errors.IMPORT_AGENT_CONFLICT("an agent here was rotated away in the bundle")
    _judge_aliases(work, offered)
    _judge_age(work, offered, live)  # 11


def _judge_aliases(work: Work, offered: Offered) -> None:
    own = offered.bundle.payload.controller.controller_did
    for alias in offered.bundle.payload.rotation_aliases:
        same = work.aliases.find(alias.role, alias.controller_did or "", alias.from_did)
        role, scope = ("agent", own) if alias.role == "controller" else ("controller", "")
        other_role = work.aliases.find(role, scope, alias.from_did)
        if other_role is not None or (same is not None and same.to_did != alias.to_did):
            raise errors.IMPORT_ALIAS_CONFLICT("settle the continuity of this DID before retrying")


def _judge_age(work: Work, offered: Offered, live: Controller | None) -> None:
    bundle = offered.bundle
    mark = work.imports.mark(bundle.issuer, bundle.payload.owner_did, bundle.payload.controller.controller_did)
    if mark is not None and bundle.sequence < mark.sequence:
        raise errors.IMPORT_BUNDLE_STALE("a later bundle of this source was imported")
    if live is not None and live.version > bundle.payload.controller.version:
        raise errors.IMPORT_BUNDLE_STALE("the record here is newer")
    if mark is not None and bundle.sequence == mark.sequence and bundle.bundle_hash_b64u != mark.bundle_hash_b64u:
        raise errors.IMPORT_BUNDLE_TAMPERED("two bundles of one source have the same number")
    if live is not None and (live.origin_issuer != bundle.issuer or _changed_here(live, mark)):
        raise errors.IMPORT_CONTROLLER_CONFLICT("the record here came from elsewhere or was changed since")


def _changed_here(live: Controller, mark: ImportMark | None) -> bool:
    return mark is not None and live.version != mark.version


def _exporter(bundle: BundleShape, keys: StatementKeys | None, rules: Rules) -> bytes | None:
    if bundle.issuer == rules.service_did and keys is not None:
        own = keys.public(bundle.signer_kid)
        if own is not None:
            return own
    return rules.trusted_exporters.get(bundle.issuer, {}).get(bundle.signer_kid)
