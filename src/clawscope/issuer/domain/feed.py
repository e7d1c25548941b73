"""The revocation feed: one sequence for tokens, cut-offs and keys (tokens.md §4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clawscope.kernel.clock import iso_ms
from clawscope.protocol.revocation import CutOff, KeyRevoked, TokenRevoked

TOKEN, CUTOFF, KEY = "token", "cutoff", "key"
NEVER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One row of the feed. `exp` is the last second at which it may still hit a live token; times are epoch seconds unless `_ms`."""

    sequence: int
    kind: str
    exp: int
    reason: str
    revoked_by: str
    revoked_at: int
    committed_at_ms: int
    jti: str | None = None
    token_hash: str | None = None
    dimension: str | None = None
    value: str | None = None
    not_before: int | None = None
    cutoff_id: str | None = None
    locked: bool = False
    kid: str | None = None
    org_id: str | None = None
    owner_did: str | None = None

    @property
    def event_key(self) -> str:
        """`events:revocations:` + ten digits of 9999999999 − `revoked_at`, then hash, else `jti`, else kind and sequence (§4.1)."""
        name = self.token_hash or self.jti or f"{self.kind}:{self.sequence}"
        return f"events:revocations:{9_999_999_999 - self.revoked_at:010d}:{name}"

    def record(self, *, with_reason: bool) -> dict[str, Any]:
        """The wire's record; `reason` and `revoked_by` are for auditors only."""
        shown: dict[str, Any] = {"kind": self.kind, "sequence": self.sequence}
        for name in ("jti", "token_hash", "dimension", "value", "not_before", "cutoff_id", "kid", "org_id", "owner_did"):
            value = getattr(self, name)
            if value is not None:
                shown[name] = value
        if self.kind == TOKEN:
            shown["exp"] = self.exp
        if self.kind == CUTOFF:
            shown["locked"] = self.locked
        shown |= {"revoked_at": self.revoked_at, "revoked_at_iso": iso_ms(self.revoked_at)}
        if with_reason:
            shown |= {"reason": self.reason, "revoked_by": self.revoked_by}
        return shown

    def effect(self) -> TokenRevoked | CutOff | KeyRevoked:
        """The row as every verifier's view applies it."""
        if self.kind == KEY:
            return KeyRevoked(sequence=self.sequence, kid=self.kid or "", revoked_at=self.revoked_at)
        if self.kind == CUTOFF:
            return CutOff(
                sequence=self.sequence,
                dimension=self.dimension or "",
                value=self.value or "",
                not_before=self.not_before or 0,
                revoked_at=self.revoked_at,
                org_id=self.org_id,
                owner_did=self.owner_did,
            )
        return TokenRevoked(sequence=self.sequence, jti=self.jti, token_hash=self.token_hash, exp=self.exp, revoked_at=self.revoked_at)


@dataclass(frozen=True, slots=True)
class Lock:
    """A subject for which nothing is issued until the cut-off's lock is lifted."""

    cutoff_id: str
    dimension: str
    value: str
    org_id: str | None = None
    owner_did: str | None = None

    def holds(self, values: Sequence[tuple[str, str]]) -> bool:
        """Whether it locks a token of these (dimension, value) pairs: only within the reach of whoever set it."""
        if (self.dimension, self.value) not in values:
            return False
        return all(own is None or (name, own) in values for name, own in (("org_id", self.org_id), ("owner_did", self.owner_did)))
