"""Answers kept under an Idempotency-Key, on SQL."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, update

from clawscope.infra.db.schema import idempotency
from clawscope.infra.db.tx import Tx

_c = idempotency.c
_SAME = (_c.caller == bindparam("c"), _c.route == bindparam("r"), _c.key == bindparam("k"))
_FIND = select(idempotency).where(*_SAME)
_SETTLE = update(idempotency).where(*_SAME).values(state="done", status=bindparam("s"), answer=bindparam("a"), expires_at=bindparam("e"))
_DROP = delete(idempotency).where(*_SAME)
_DROP_RUNNING = delete(idempotency).where(*_SAME, _c.state == "running")
_EXPIRE = delete(idempotency).where(_c.expires_at <= bindparam("now"))


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where an answer is kept: one caller, one route, one key."""

    caller: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A reserved or settled key; `answer` is JSON text once `running` is over. Times in epoch seconds."""

    body_hash: str
    running: bool
    status: int
    answer: str
    expires_at: int


class KeptAnswers:
    """The table of kept answers on one transaction."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def find(self, place: KeyPlace) -> KeptAnswer | None:
        """What stands under a key."""
        row = self._tx.first(_FIND, c=place.caller, r=place.route, k=place.key)
        return None if row is None else KeptAnswer(row.body_hash, row.state == "running", row.status, row.answer, row.expires_at)

    def reserve(self, place: KeyPlace, body_hash: str, expires_at: int) -> None:
        """Mark a key as running."""
        row = {"caller": place.caller, "route": place.route, "key": place.key, "body_hash": body_hash, "state": "running"}
        self._tx.add(idempotency, {**row, "status": 0, "answer": "", "expires_at": expires_at})

    def settle(self, place: KeyPlace, status: int, answer: str, expires_at: int) -> None:
        """Keep the answer of a running key."""
        self._tx.change(_SETTLE, c=place.caller, r=place.route, k=place.key, s=status, a=answer, e=expires_at)

    def drop(self, place: KeyPlace, *, only_running: bool = False) -> None:
        """Free a key."""
        self._tx.change(_DROP_RUNNING if only_running else _DROP, c=place.caller, r=place.route, k=place.key)

    def expire(self, now: int) -> int:
        """Drop keys past their time; returns how many."""
        return self._tx.change(_EXPIRE, now=now)
