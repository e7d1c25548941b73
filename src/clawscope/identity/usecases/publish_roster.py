"""Publish an organisation's roster; the first publisher holds it until he signs it over (identity.md §10)."""

from __future__ import annotations

from typing import Any

from clawscope.identity.domain import errors, events
from clawscope.identity.domain.roster import MANAGED_PREFIX, Roster
from clawscope.identity.domain.signing import is_signed, key_of
from clawscope.identity.ports import Store, Work
from clawscope.identity.usecases.presenting import require_bound
from clawscope.identity.usecases.recording import Fact, record
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import FORBIDDEN

_EARLY_S = 60


class PublishRoster:
    """Writes the manifest, and reads the latest."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, roster: Roster, signature_b64u: str, previous_signature_b64u: str | None) -> dict[str, Any]:
        """`registered` or `already_registered`.

        Raises (1) `OWNER_BINDING_REQUIRED`, (2) `ROSTER_MEMBER_BINDING_REQUIRED`, (3) `ROSTER_MANIFEST_SIGNATURE_INVALID`,
        (4) `ROSTER_OWNER_MISMATCH`, `FORBIDDEN`, (5) `ROSTER_MANIFEST_STALE`.
        """
        return await self._store.transact(lambda work: self._publish(work, roster, signature_b64u, previous_signature_b64u))

    async def latest(self, org_id: str) -> dict[str, Any]:
        """The latest manifest, and whether its members are bound now. Raises `ROSTER_NOT_FOUND`."""
        return await self._store.read(lambda work: self._latest(work, org_id))

    def _publish(self, work: Work, roster: Roster, signature_b64u: str, previous: str | None) -> dict[str, Any]:
        now = self._clock.now()
        require_bound(work, roster.owner_did, errors.OWNER_BINDING_REQUIRED)  # 1
        dids = {one.member_did for one in roster.members}
        if work.bindings.active_among(dids) != dids:  # 2
            raise errors.ROSTER_MEMBER_BINDING_REQUIRED("bind every member first")
        if not is_signed(key_of(roster.owner_did), roster.signed_text.encode(), signature_b64u):  # 3
            raise errors.ROSTER_MANIFEST_SIGNATURE_INVALID("sign clawclaim:org_roster_manifest:v1: and the manifest's hash")
        standing = work.rosters.latest(roster.org_id)
        _judge_holder(standing, roster, previous)  # 4
        if standing is not None and standing.manifest_hash == roster.manifest_hash:
            return {"status": "already_registered", **standing.body()}
        last = standing.issued_at if standing is not None else -1
        if roster.issued_at <= last or roster.issued_at > now + _EARLY_S:  # 5
            raise errors.ROSTER_MANIFEST_STALE("set issued_at above the last manifest's and not in the future")
        work.rosters.add(roster)
        details = {name: value for name, value in roster.body().items() if not name.endswith("_iso")}
        record(work, Fact(events.ROSTER_REGISTERED, roster.owner_did, roster.owner_did, details), now)
        return {"status": "registered", **roster.body()}

    def _latest(self, work: Work, org_id: str) -> dict[str, Any]:
        found = work.rosters.latest(org_id)
        if found is None:
            raise errors.ROSTER_NOT_FOUND("publish a roster first")
        bound = work.bindings.active_among({one.member_did for one in found.members})
        members = [
            {"member_did": one.member_did, "team_role": one.team_role, "binding_active": one.member_did in bound} for one in found.members
        ]
        return {"status": "ok", "owner_did": found.owner_did, **found.body(), "members": members}


def _judge_holder(standing: Roster | None, roster: Roster, previous: str | None) -> None:
    if standing is None and roster.org_id.startswith(MANAGED_PREFIX):
        raise FORBIDDEN("this organisation is managed here: its members:manage is needed to publish first")
    if standing is None or standing.owner_did == roster.owner_did:
        return
    if previous is None or not is_signed(key_of(standing.owner_did), roster.signed_text.encode(), previous):
        raise errors.ROSTER_OWNER_MISMATCH("the holder signs it over: previous_owner_signature_b64u over the same text")
