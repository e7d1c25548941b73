"""Write planned moves: row, event, and the refusal where another move was faster (keys.md §1, §8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from clawscope.issuer.domain import events
from clawscope.issuer.domain.key_errors import KEY_NOT_FOUND, KEY_STATE_CONFLICT
from clawscope.issuer.domain.key_moves import Move
from clawscope.issuer.domain.keyring import ACTIVE, PREPARED, RETIRED, REVOKED, VERIFY_ONLY, KeyRecord
from clawscope.issuer.ports import Store, Work
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import INVALID_REQUEST
from clawscope.kernel.errors import Refusal
from clawscope.kernel.events import Event
from clawscope.kernel.ids import new_id
from clawscope.kernel.text import trimmed

Value = TypeVar("Value")
MOST_REASON = 256
_EVENTS = {
    PREPARED: events.KEY_PREPARED,
    ACTIVE: events.KEY_ACTIVATED,
    VERIFY_ONLY: events.KEY_VERIFY_ONLY,
    RETIRED: events.KEY_RETIRED,
    REVOKED: events.KEY_REVOKED,
}


@dataclass(frozen=True, slots=True)
class Why:
    """Who moves keys (a credential's name, never its secret) and why."""

    actor: str
    reason: str


def read_why(actor: str, reason: str) -> Why:
    """The reason trimmed and cut at 256 characters. Raises `INVALID_REQUEST` for a blank one: it goes to log, audit and event."""
    kept = trimmed(reason)[:MOST_REASON]
    if not kept:
        raise INVALID_REQUEST("reason: say why")
    return Why(actor, kept)


def find_key(work: Work, kid: str) -> KeyRecord:
    """The key of a kid. Raises `KEY_NOT_FOUND`."""
    record = work.keys.get(kid)
    if record is None:
        raise KEY_NOT_FOUND("no key was ever known by that kid")
    return record


def hold(work: Work, record: KeyRecord) -> None:
    """Keep a key as it is until the commit: issues under it end first, later ones wait. Raises `KEY_STATE_CONFLICT` if it moved."""
    if not work.keys.move(record.kid, record.state, record.state):
        raise KEY_STATE_CONFLICT("another move of this key was faster", fix="look at the keys again")


def add_key(work: Work, record: KeyRecord, why: Why) -> None:
    """Insert a key in the state it is first known in, with its event."""
    work.keys.add(record)
    move = Move(record.kid, record.purpose, None, record.state, record.created_at, record.not_after_unix, record.delay_waived)
    work.events.put(_event(move, why, work.snapshots.take() + 1))


def make_moves(work: Work, moves: Iterable[Move], why: Why, *, sequence: int | None = None) -> None:
    """Move keys in order, with events; `sequence` is that of a feed row. Raises `KEY_STATE_CONFLICT` if a key is not where planned."""
    for move in moves:
        if (
            move.kid is None
            or move.from_state is None
            or not work.keys.move(move.kid, move.from_state, move.to_state, **_changes(move, why))
        ):
            raise KEY_STATE_CONFLICT("another move of this key was faster", fix="look at the keys again")
        # Unless a feed row tells of it, a move stands in the snapshot that its transaction appends next.
        work.events.put(_event(move, why, sequence if sequence is not None else work.snapshots.take() + 1))


def activated(record: KeyRecord, now: int) -> KeyRecord:
    """A key that is active from the moment it becomes known."""
    return replace(record, state=ACTIVE, activated_at=now, activatable_at=now)


async def run_move(store: Store, clock: Clock, why: Why, kid: str | None, function: Callable[[Any], Value]) -> Value:
    """Run a move in one transaction. A refused one leaves an event in a transaction of its own, then refuses."""
    try:
        return await store.transact(function)
    except Refusal as refusal:
        if refusal.code.status >= 500:
            raise
        data = {"actor": why.actor, "reason": why.reason, "code": refusal.code.name} | ({"kid": kid} if kid is not None else {})
        event = Event(new_id("evt"), events.KEY_MOVE_REFUSED, clock.now(), data)
        await store.transact(lambda work: work.events.put(event))
        raise


def as_plan(moves: Iterable[Move]) -> list[dict[str, Any]]:
    """A plan for people and programs: what would become of which key, when."""
    return [_plain(move) for move in moves]


def _changes(move: Move, why: Why) -> dict[str, Any]:
    changes: dict[str, Any] = {"reason": why.reason}
    if move.to_state == ACTIVE:
        changes |= {"activated_at": move.at, "auto_activate": False, "delay_waived": move.delay_waived}
    if move.to_state in (VERIFY_ONLY, PREPARED):
        changes["not_after_unix"] = move.not_after_unix
    return changes


def _event(move: Move, why: Why, sequence: int) -> Event:
    data = _plain(move) | {"reason": why.reason, "actor": why.actor, "sequence": sequence}
    return Event(new_id("evt"), _EVENTS[move.to_state], move.at, data)


def _plain(move: Move) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "kid": move.kid,
        "purpose": move.purpose,
        "from_state": move.from_state,
        "to_state": move.to_state,
        "at": move.at,
    }
    if move.not_after_unix is not None:
        shown["not_after_unix"] = move.not_after_unix
    if move.delay_waived:
        shown["delay_waived"] = True
    return {name: value for name, value in shown.items() if value is not None}
