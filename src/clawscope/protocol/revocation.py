"""What has been revoked, as the feed tells it in one sequence, and whether it hits a token (tokens.md §1.3 step 13, §4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Literal

import msgspec

from clawscope.protocol.claims import Claims

DIMENSIONS: tuple[str, ...] = (
    "owner_did",
    "controller_did",
    "agent_did",
    "client_id",
    "org_id",
    "mission_id",
    "run_id",
    "job_id",
    "chain",
)
"""What a cut-off may select by; `chain` is `<controller> <agent>`."""

_CLAIM_DIMENSIONS = DIMENSIONS[:-1]
_BUCKET_S = 256
# Nothing is forgotten before a clock set an hour back has passed it again, and the skew with it.
_KEPT_AFTER_EXP_S = 3600 + 60


class TokenRevoked(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="token"):
    """One token ended, by `jti`, by hash, or both; `exp` is unknown for a hash nobody here issued."""

    sequence: int
    jti: str | None = None
    token_hash: str | None = None
    exp: int | None = None
    revoked_at: int | None = None


class CutOff(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="cutoff"):
    """Every token with that claim and `iat` ≤ `not_before` ended, within one organisation or owner where one is named."""

    sequence: int
    dimension: str
    value: str
    not_before: int
    revoked_at: int | None = None
    org_id: str | None = None
    owner_did: str | None = None


class KeyRevoked(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="key"):
    """One token key refused from now on."""

    sequence: int
    kid: str
    revoked_at: int | None = None


class OtherRow(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="other"):
    """A row beyond the reader's reach: only its place in the sequence shows."""

    sequence: int


Record = TokenRevoked | CutOff | KeyRevoked | OtherRow


class SequenceGap(ValueError):
    """A row that does not follow the last one applied: the reader must load what lies between."""


class Hit(msgspec.Struct, frozen=True):
    """Why a token is revoked: itself, an ancestor, or a cut-off; the time is unknown where only a snapshot told of it."""

    kind: Literal["token", "ancestor", "cutoff"]
    revoked_at: int | None
    sequence: int


_Mark = tuple[int, int | None]  # sequence, revoked_at
_Reach = tuple[str | None, str | None]  # org_id, owner_did


class RevocationView:
    """All revocations up to `sequence`. One thread applies; any thread may ask meanwhile, and sees each row whole or not at all."""

    def __init__(self) -> None:
        self._sequence = 0
        self._by_jti: dict[str, _Mark] = {}
        self._by_hash: dict[str, _Mark] = {}
        self._cut_offs: dict[tuple[str, str], dict[_Reach, list[CutOff]]] = {}
        self._revoked_kids: frozenset[str] = frozenset()
        self._by_exp: dict[int, list[tuple[str | None, str | None]]] = {}

    @classmethod
    def at(cls, sequence: int, records: Iterable[Record]) -> RevocationView:
        """A view that starts at `sequence` from everything up to there that still matters, in any order."""
        view = cls()
        for record in sorted(records, key=lambda record: record.sequence):
            view._put(record)
        view._sequence = sequence
        return view

    @property
    def sequence(self) -> int:
        """The last row applied; 0 before the first."""
        return self._sequence

    @property
    def revoked_kids(self) -> frozenset[str]:
        """The token keys the feed has revoked."""
        return self._revoked_kids

    def apply(self, record: Record) -> bool:
        """Take the next row; `False` for one already applied. Raises `SequenceGap` for a row beyond the next."""
        if record.sequence <= self._sequence:
            return False
        if record.sequence != self._sequence + 1:
            raise SequenceGap(f"row {self._sequence + 1} is missing before row {record.sequence}")
        self._put(record)
        # Last, so that who sees the number sees the row.
        self._sequence = record.sequence
        return True

    def hit(self, claims: Claims, token_hash: str) -> Hit | None:
        """Why the token is revoked, or `None`: its own `jti` or hash, then its lineage root first, then the earliest cut-off."""
        mark = self._by_hash.get(token_hash)
        if mark is None and claims.jti is not None:
            mark = self._by_jti.get(claims.jti)
        if mark is not None:
            return Hit("token", mark[1], mark[0])
        for ancestor in claims.lineage or ():
            mark = self._by_jti.get(ancestor)
            if mark is not None:
                return Hit("ancestor", mark[1], mark[0])
        return self._cut_off_hit(claims) if self._cut_offs else None

    def forget_before(self, now: int) -> int:
        """Drop token rows whose `exp` is over an hour and the skew past `now`; answers how many. Rows of unknown `exp` stay."""
        oldest_kept = (now - _KEPT_AFTER_EXP_S) // _BUCKET_S
        dropped = 0
        for bucket in [bucket for bucket in self._by_exp if bucket < oldest_kept]:
            for jti, token_hash in self._by_exp.pop(bucket):
                if jti is not None:
                    self._by_jti.pop(jti, None)
                if token_hash is not None:
                    self._by_hash.pop(token_hash, None)
                dropped += 1
        return dropped

    def _put(self, record: Record) -> None:
        if isinstance(record, TokenRevoked):
            self._put_token(record)
        elif isinstance(record, CutOff):
            self._put_cut_off(record)
        elif isinstance(record, KeyRevoked):
            self._revoked_kids = self._revoked_kids | {record.kid}

    def _put_token(self, record: TokenRevoked) -> None:
        mark = (record.sequence, record.revoked_at)
        # The first time a token is revoked is the time it was.
        if record.jti is not None:
            self._by_jti.setdefault(record.jti, mark)
        if record.token_hash is not None:
            self._by_hash.setdefault(record.token_hash, mark)
        if record.exp is not None:
            self._by_exp.setdefault(record.exp // _BUCKET_S, []).append((record.jti, record.token_hash))

    def _put_cut_off(self, record: CutOff) -> None:
        reaches = self._cut_offs.setdefault((record.dimension, record.value), {})
        standing = reaches.setdefault((record.org_id, record.owner_did), [])
        # One that reaches no later than what stands cuts nothing new; so the list rises and can be searched by halves.
        if not standing or standing[-1].not_before < record.not_before:
            standing.append(record)

    def _cut_off_hit(self, claims: Claims) -> Hit | None:
        reaches = {(None, None), (claims.org_id, None), (None, claims.owner_did), (claims.org_id, claims.owner_did)}
        first: CutOff | None = None
        for place in dimension_values(claims):
            standing_here = self._cut_offs.get(place)
            if standing_here is None:
                continue
            for reach in reaches:
                standing = standing_here.get(reach, [])
                index = bisect_left(standing, claims.iat, key=lambda cut: cut.not_before)
                if index < len(standing) and (first is None or standing[index].sequence < first.sequence):
                    first = standing[index]
        return None if first is None else Hit("cutoff", first.revoked_at, first.sequence)


def dimension_values(claims: Claims) -> list[tuple[str, str]]:
    """The dimensions a token has, with its values; `chain` needs both controller and agent."""
    found = [(name, value) for name in _CLAIM_DIMENSIONS if (value := getattr(claims, name)) is not None]
    if claims.controller_did is not None and claims.agent_did is not None:
        found.append(("chain", f"{claims.controller_did} {claims.agent_did}"))
    return found
