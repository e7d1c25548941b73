"""Challenges for scoped tokens on SQL."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from sqlalchemy import bindparam, delete, select, update

from clawscope.identity.adapters.tables import scope_challenges
from clawscope.identity.domain.scope_challenge import ScopeChallenge
from clawscope.infra.db.tx import Tx

_c = scope_challenges.c
_GET = select(scope_challenges).where(_c.challenge_id == bindparam("i"))
_USE = update(scope_challenges).where(_c.challenge_id == bindparam("i"), _c.used_at.is_(None)).values(used_at=bindparam("at"))
_EXPIRE = delete(scope_challenges).where(_c.expires_at < bindparam("before"))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ScopeChallenge).decode


class SqlScopeChallenges:
    """`ScopeChallenges` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def add(self, challenge: ScopeChallenge) -> None:
        """Keep a challenge."""
        row = {"challenge_id": challenge.challenge_id, "expires_at": challenge.expires_at, "used_at": None}
        self._tx.add(scope_challenges, {**row, "record": _encode(challenge).decode()})

    def get(self, challenge_id: str) -> ScopeChallenge | None:
        """The challenge of an id, used ones too."""
        row = self._tx.first(_GET, i=challenge_id)
        return None if row is None else replace(_decode(row.record), used_at=row.used_at)

    def use(self, challenge_id: str, at: int) -> bool:
        """Mark the challenge as used; `False` if somebody else did."""
        return self._tx.change(_USE, i=challenge_id, at=at) == 1

    def expire(self, before: int) -> int:
        """Drop challenges whose time ended before that second; returns how many."""
        return self._tx.change(_EXPIRE, before=before)
