"""The states of a key and every move between them, planned before it is made (keys.md §1, §3, §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clawscope.issuer.domain.key_errors import KEY_NOT_READY, KEY_ROTATION_IN_PROGRESS, KEY_STATE_CONFLICT, KEY_STILL_NEEDED
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import ACTIVE, PREPARED, RETIRED, REVOKED, VERIFY_ONLY, KeyRecord

LatestExp = Callable[[str], int | None]

# `None` is a key not yet known. Retired and revoked are for ever; only a configuration may make an active key stand by again.
_LEGAL: dict[str | None, frozenset[str]] = {
    None: frozenset((PREPARED, ACTIVE, VERIFY_ONLY, RETIRED, REVOKED)),
    PREPARED: frozenset((ACTIVE, VERIFY_ONLY, RETIRED, REVOKED)),
    ACTIVE: frozenset((VERIFY_ONLY, PREPARED, REVOKED)),
    VERIFY_ONLY: frozenset((VERIFY_ONLY, RETIRED, REVOKED)),
    RETIRED: frozenset(),
    REVOKED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Move:
    """One change of one key. `from_state` is `None` for a key not yet known, `kid` is `None` for one not yet made."""

    kid: str | None
    purpose: str
    from_state: str | None
    to_state: str
    at: int
    not_after_unix: int | None = None
    delay_waived: bool = False


@dataclass(frozen=True, slots=True)
class Activation:
    """A planned activation: the former key, if any, steps back first, so that never two are active."""

    moves: tuple[Move, ...]
    former_kid: str | None
    not_after_unix: int | None


def is_legal(from_state: str | None, to_state: str) -> bool:
    """Whether a key may go from one state to the other."""
    return to_state in _LEGAL[from_state]


def active_of(records: Iterable[KeyRecord], purpose: str) -> KeyRecord | None:
    """The active key of a purpose."""
    return next((record for record in records if record.purpose == purpose and record.state == ACTIVE), None)


def plan_new(purpose: str, kid: str | None, now: int, rules: KeyRules) -> Move:
    """Making and publishing a key; it may sign `publish_delay_s` later."""
    return Move(kid, purpose, None, PREPARED, now + rules.publish_delay_s)


def plan_activation(
    records: Iterable[KeyRecord],
    key: KeyRecord,
    now: int,
    rules: KeyRules,
    latest_exp: LatestExp,
    *,
    waive: bool = False,
    stands_by: bool = False,
) -> Activation:
    """Let a prepared key sign; the former becomes verify-only until its last token has ended, or `stands_by`.

    Raises `KEY_STATE_CONFLICT` for a key that is not prepared, `KEY_NOT_READY` before its delay has passed unless `waive`.
    """
    if key.state != PREPARED:
        raise KEY_STATE_CONFLICT(f"the key is {key.state}", fix="only a prepared key can be activated")
    early = now < key.activatable_at
    if early and not waive:
        wait_s = key.activatable_at - now
        raise KEY_NOT_READY(f"it may sign in {wait_s} s", headers={"Retry-After": str(wait_s)})
    former = active_of(records, key.purpose)
    moves: list[Move] = []
    not_after = None
    if former is not None and stands_by:
        moves.append(Move(former.kid, former.purpose, ACTIVE, PREPARED, now))
    elif former is not None:
        not_after = rules.cut_off(now, latest_exp(former.kid))
        moves.append(Move(former.kid, former.purpose, ACTIVE, VERIFY_ONLY, now, not_after))
    moves.append(Move(key.kid, key.purpose, PREPARED, ACTIVE, now, delay_waived=early))
    return Activation(tuple(moves), former.kid if former else None, not_after)


def plan_retirement(key: KeyRecord, now: int) -> Move:
    """Take a key out of use for ever: one past its cut-off, or a prepared one that is abandoned.

    Raises `KEY_STILL_NEEDED` before the cut-off, `KEY_STATE_CONFLICT` for an active, retired or revoked key.
    """
    if key.state == PREPARED:
        return Move(key.kid, key.purpose, PREPARED, RETIRED, now)
    if key.state != VERIFY_ONLY:
        raise KEY_STATE_CONFLICT(f"the key is {key.state}", fix="activate another key first" if key.state == ACTIVE else None)
    if key.not_after_unix is not None and now <= key.not_after_unix:
        raise KEY_STILL_NEEDED(f"its cut-off is {key.not_after_unix}", headers={"Retry-After": str(key.not_after_unix - now + 1)})
    return Move(key.kid, key.purpose, VERIFY_ONLY, RETIRED, now, key.not_after_unix)


def plan_revocation(key: KeyRecord, now: int) -> Move:
    """Withdraw a key at once. Raises `KEY_STATE_CONFLICT` for a retired one: it is accepted by nobody already."""
    if not is_legal(key.state, REVOKED):
        raise KEY_STATE_CONFLICT(f"the key is {key.state}")
    return Move(key.kid, key.purpose, key.state, REVOKED, now)


def replacement_of(records: Iterable[KeyRecord], purpose: str) -> KeyRecord | None:
    """Who takes over from a revoked active key: the first prepared key, even before its delay."""
    waiting = [record for record in records if record.purpose == purpose and record.state == PREPARED]
    return min(waiting, key=lambda record: (record.position, record.kid), default=None)


def refuse_second_rotation(records: Iterable[KeyRecord], purpose: str) -> None:
    """Raises `KEY_ROTATION_IN_PROGRESS` while a prepared key waits for its automatic activation."""
    for record in records:
        if record.purpose == purpose and record.state == PREPARED and record.auto_activate:
            raise KEY_ROTATION_IN_PROGRESS(f"a key activates at {record.activatable_at}", details={"kid": record.kid})


def due_moves(records: Iterable[KeyRecord], now: int) -> list[Move]:
    """The retirements that are due: verify-only keys past their cut-off."""
    return [
        Move(record.kid, record.purpose, VERIFY_ONLY, RETIRED, now, record.not_after_unix)
        for record in records
        if record.state == VERIFY_ONLY and (record.not_after_unix is None or record.not_after_unix < now)
    ]


def rotation_due_at(active: KeyRecord, rules: KeyRules) -> int | None:
    """When the successor of an active key is to be prepared, in epoch seconds; `None` if rotation is off."""
    if not rules.rotate_every_s:
        return None
    return (active.activated_at or active.created_at) + rules.rotate_every_s - rules.publish_delay_s - 60
