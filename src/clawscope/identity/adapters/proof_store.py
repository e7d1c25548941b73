"""Challenges and bindings on SQL."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import bindparam, delete, func, select, update

from clawscope.identity.adapters.tables import bindings, challenges
from clawscope.identity.domain.challenge import Challenge
from clawscope.identity.domain.records import Binding
from clawscope.infra.db.tx import Tx

_c, _b = challenges.c, bindings.c
_CHALLENGE = select(_c.record).where(_c.challenge_id == bindparam("i"))
_SPEND = delete(challenges).where(_c.challenge_id == bindparam("i"))
_OPEN = select(func.count()).where(_c.owner_did == bindparam("o"), _c.expires_at >= bindparam("now"))
_EXPIRE = delete(challenges).where(_c.expires_at < bindparam("before"))
_BINDING = select(bindings).where(_b.did == bindparam("d"))
_ACTIVE = select(_b.did).where(_b.did.in_(bindparam("dids", expanding=True)), _b.revoked_at.is_(None))
_REVOKE = update(bindings).where(_b.did == bindparam("d")).values(revoked_at=bindparam("at"), reason=bindparam("why"))
_encode = msgspec.json.Encoder().encode
_challenge = msgspec.json.Decoder(Challenge).decode


class SqlChallenges:
    """`Challenges` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def add(self, challenge: Challenge) -> None:
        """Keep a challenge until it is spent or long past."""
        row = {"challenge_id": challenge.challenge_id, "owner_did": challenge.owner_did, "expires_at": challenge.expires_at}
        self._tx.add(challenges, {**row, "record": _encode(challenge).decode()})

    def get(self, challenge_id: str) -> Challenge | None:
        """The challenge of an id, spent ones excepted."""
        row = self._tx.first(_CHALLENGE, i=challenge_id)
        return None if row is None else _challenge(row.record)

    def spend(self, challenge_id: str) -> bool:
        """Take the challenge away; `False` if somebody else did."""
        return self._tx.change(_SPEND, i=challenge_id) == 1

    def open_of(self, owner_did: str, now: int) -> int:
        """How many challenges of a DID can still be used."""
        row = self._tx.first(_OPEN, o=owner_did, now=now)
        return int(row[0]) if row else 0

    def expire(self, before: int) -> int:
        """Drop challenges whose time ended before that second; returns how many."""
        return self._tx.change(_EXPIRE, before=before)


class SqlBindings:
    """`Bindings` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, did: str) -> Binding | None:
        """The binding of a DID, active or revoked."""
        row = self._tx.first(_BINDING, d=did)
        return None if row is None else Binding(row.did, row.bound_at, row.revoked_at)

    def active_among(self, dids: Collection[str]) -> frozenset[str]:
        """Those of the DIDs that are bound now."""
        return frozenset(row.did for row in self._tx.rows(_ACTIVE, dids=sorted(set(dids))))

    def add(self, binding: Binding) -> None:
        """Bind a DID."""
        self._tx.add(bindings, {"did": binding.did, "bound_at": binding.bound_at, "revoked_at": None, "reason": None})

    def revoke(self, did: str, at: int, reason: str | None) -> None:
        """End a binding for ever."""
        self._tx.change(_REVOKE, d=did, at=at, why=reason)
