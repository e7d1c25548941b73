"""The issuance audit row: who got what, from whom, under which rules (tokens.md §6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawscope.kernel.clock import iso_ms
from clawscope.kernel.principal import Reach
from clawscope.protocol.jcs import canonical


@dataclass(frozen=True, slots=True)
class Issuance:
    """One append-only row. `claims` hold every claim but `nonce`; `reach` is that of whoever stood behind the issue."""

    sequence: int
    token_hash: str
    claims: Mapping[str, Any]
    issued_at: int
    kid: str
    policy_version: str
    policy_tier: str
    chain_verified: bool
    issued_by: str
    reach_kind: str
    route: str
    evidence_required: tuple[str, ...]
    request_id: str
    parent_jti: str | None = None
    approval_receipt_id: str | None = None

    @property
    def key(self) -> str:
        """`events:issuance:{9999999999−issued_at}:{token_hash}`."""
        return f"events:issuance:{9_999_999_999 - self.issued_at:010d}:{self.token_hash}"

    def record(self) -> dict[str, Any]:
        """The row as audit readers see it."""
        shown = {name: value for name, value in self.claims.items() if name != "nonce"}
        shown |= {
            "sequence": self.sequence,
            "token_hash": self.token_hash,
            "issued_at": self.issued_at,
            "issued_at_iso": iso_ms(self.issued_at),
            "kid": self.kid,
            "policy_version": self.policy_version,
            "policy_tier": self.policy_tier,
            "chain_verified": self.chain_verified,
            "issued_by": self.issued_by,
            "route": self.route,
            "evidence_required": list(self.evidence_required),
            "request_id": self.request_id,
        }
        if self.approval_receipt_id is not None:
            shown["approval_receipt_id"] = self.approval_receipt_id
        if self.parent_jti is not None:
            shown["parent_jti"] = self.parent_jti
        return shown

    def leaf(self) -> bytes:
        """What the transparency log takes: the JCS of the row."""
        return canonical(self.record())

    def granted_reach(self) -> Reach:
        """How far the token reaches as a credential (tokens.md §5, step 8): operator all, organisation its rows, exchange its owner's."""
        if self.reach_kind == "all":
            return Reach(everything=True)
        if self.reach_kind == "org":
            return Reach(org_id=self.claims.get("org_id"))
        return Reach(owner_did=self.claims.get("owner_did"))


def reach_kind_of(reach: Reach) -> str:
    """The stored word for a reach: `all`, `org` or `owner`."""
    if reach.everything:
        return "all"
    return "org" if reach.org_id is not None else "owner"
