"""A signed list of an organisation's members (identity.md §10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clawscope.identity.domain import errors
from clawscope.identity.domain.records import timed
from clawscope.identity.domain.signing import fits_grammar
from clawscope.kernel.text import has_controls
from clawscope.protocol import jcs
from clawscope.protocol.digest import sha256_b64u, sha256_hex

_MOST_MEMBERS, _MOST_ROLE = 500, 64
# Identifiers of organisations that `access` gives out.
MANAGED_PREFIX = "org_"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the organisation, and as what."""

    member_did: str
    team_role: str


@dataclass(frozen=True, slots=True)
class Roster:
    """A manifest; `members` in the order of their DIDs, `issued_at` in epoch seconds."""

    org_id: str
    owner_did: str
    issued_at: int
    members: tuple[Member, ...]

    @property
    def manifest_hash(self) -> str:
        """JCS hash of what the owner publishes."""
        return sha256_b64u(
            jcs.canonical(
                {
                    "issued_at": self.issued_at,
                    "manifest_version": "1",
                    "members": [{"member_did": one.member_did, "team_role": one.team_role} for one in self.members],
                    "org_id": self.org_id,
                    "owner_did": self.owner_did,
                }
            )
        )

    @property
    def signed_text(self) -> str:
        """What the owner signs."""
        return f"clawclaim:org_roster_manifest:v1:{self.manifest_hash}"

    def body(self) -> dict[str, Any]:
        """The manifest as it is answered, without its members."""
        return {
            "org_id": self.org_id,
            "manifest_id": sha256_hex(f"{self.org_id}:{self.owner_did}:{self.manifest_hash}".encode()),
            "manifest_hash_b64u": self.manifest_hash,
            "member_count": len(self.members),
            **timed("issued_at", self.issued_at),
        }


def ordered(members: Sequence[Member]) -> tuple[Member, ...]:
    """The members by code point of their DIDs. Raises `INVALID_ROSTER_MEMBERS`."""
    dids = {one.member_did for one in members}
    good = 1 <= len(members) <= _MOST_MEMBERS and len(dids) == len(members) and all(_is_member(one) for one in members)
    if not good:
        raise errors.INVALID_ROSTER_MEMBERS("members", fix="1 to 500 distinct DIDs, each with a role of 1 to 64 characters")
    return tuple(sorted(members, key=lambda one: one.member_did))


def _is_member(one: Member) -> bool:
    return fits_grammar(one.member_did) and 1 <= len(one.team_role) <= _MOST_ROLE and not has_controls(one.team_role)
