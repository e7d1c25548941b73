"""Routes of organisations' rosters (identity.md §10)."""

from __future__ import annotations

from clawscope.identity.adapters import wire
from clawscope.identity.adapters.doors import Doors
from clawscope.identity.adapters.reading import exact, named, path_did
from clawscope.identity.domain import errors
from clawscope.identity.domain.roster import Member, Roster, ordered
from clawscope.identity.usecases.publish_roster import PublishRoster
from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import FORBIDDEN, INVALID_REQUEST
from clawscope.kernel.text import trimmed

_MOST_ORG = 128
_MOST_SECOND = 253_402_300_799


class RosterRoutes:
    """The handlers."""

    def __init__(self, publish: PublishRoster, clock: Clock) -> None:
        self._publish = publish
        self._clock = clock

    async def publish(self, call: Call) -> Reply:
        """`POST /v1/orgs/{org_id}/roster-manifests`."""
        body: wire.RosterBody = call.body
        roster = roster_of(path_did(call, "org_id"), body, self._clock.now())
        return Reply(await self._publish(roster, exact(body, "signature_b64u"), body.previous_owner_signature_b64u))

    async def latest(self, call: Call) -> Reply:
        """`GET /v1/orgs/{org_id}/roster/latest`."""
        return Reply(await self._publish.latest(path_did(call, "org_id")), headers=NO_STORE)

    def endpoints(self, doors: Doors) -> list[Endpoint]:
        """What is served."""
        codes = (
            errors.INVALID_ROSTER_MEMBERS,
            errors.OWNER_BINDING_REQUIRED,
            errors.ROSTER_MEMBER_BINDING_REQUIRED,
            errors.UNSUPPORTED_DID,
            errors.INVALID_DID,
            errors.ROSTER_MANIFEST_SIGNATURE_INVALID,
            errors.ROSTER_OWNER_MISMATCH,
            FORBIDDEN,
            errors.ROSTER_MANIFEST_STALE,
        )
        org = "/v1/orgs/{org_id}"
        return [
            doors.change(f"{org}/roster-manifests", self.publish, wire.RosterBody, "Publish an organisation's roster", wire.StatusBody,
                         codes),
            doors.read(f"{org}/roster/latest", self.latest, "An organisation's roster", wire.StatusBody, (errors.ROSTER_NOT_FOUND,)),
        ]  # fmt: skip


def roster_of(org_id: str, body: wire.RosterBody, now: int) -> Roster:
    """The manifest as it is signed. Raises `INVALID_REQUEST`, then `INVALID_ROSTER_MEMBERS`."""
    owner_did, issued_at = named(body, "owner_did"), now if body.issued_at is None else body.issued_at
    exact(body, "signature_b64u")
    if not org_id or len(org_id) > _MOST_ORG:
        raise INVALID_REQUEST("org_id: has 1 to 128 characters")
    if not 0 <= issued_at <= _MOST_SECOND:
        raise INVALID_REQUEST("issued_at: is not a second of the calendar")
    members = [Member(trimmed(one.member_did), trimmed(one.team_role)) for one in body.members]
    return Roster(org_id, owner_did, issued_at, ordered(members))
