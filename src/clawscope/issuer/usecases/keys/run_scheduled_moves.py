"""Everything keys do by themselves: retire past a cut-off, activate what is due, rotate, refresh the key log (keys.md §1, §3, §6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from clawscope.issuer.domain.configured_keys import FaultyKeys
from clawscope.issuer.domain.key_moves import active_of, due_moves, rotation_due_at
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import PREPARED, VERIFY_ONLY, KeyRecord
from clawscope.issuer.ports import Store, Work
from clawscope.issuer.usecases.keys.activate_key import ActivateKey
from clawscope.issuer.usecases.keys.append_snapshot import AppendSnapshot
from clawscope.issuer.usecases.keys.follow_configuration import FollowConfiguration
from clawscope.issuer.usecases.keys.make_moves import Why, make_moves
from clawscope.issuer.usecases.keys.rotate_key import RotateKey
from clawscope.issuer.usecases.keys.vault import Vault
from clawscope.kernel.clock import Clock
from clawscope.kernel.errors import Refusal

Step = tuple[str, Callable[[], Awaitable[object]]]
_ACTOR = "system:schedule"
ROTATED_PURPOSES = ("token", "statement")


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """What one run did, what was refused, and the epoch second at which something is due next."""

    done: tuple[str, ...]
    refused: tuple[Refusal | FaultyKeys, ...]
    next_due: int


@dataclass(frozen=True, slots=True)
class _Due:
    retire: bool
    activate: tuple[str, ...]
    follow: bool
    rotate: tuple[str, ...]
    refresh: bool
    next_due: int


class RunScheduledMoves:
    """Run by the holder of the store's job lease. Every step is idempotent and judged again inside its own transaction."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, rules: KeyRules, activate: ActivateKey, rotate: RotateKey) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._rules = rules
        self._activate = activate
        self._rotate = rotate
        self._append = AppendSnapshot(vault, rules)
        self._follow = FollowConfiguration(self._append, rules)

    async def __call__(self) -> ScheduleRun:
        """Do what is due. One step's refusal does not stop the others. Raises store codes if nothing can be read."""
        now = self._clock.now()
        due = await self._store.read(lambda work: self._look(work, now))
        steps: list[Step] = []
        if due.retire:
            steps.append(("retired", partial(self._store.transact, self._retire)))
        steps += [(f"activated {kid}", partial(self._activate, _ACTOR, kid, "rotation")) for kid in due.activate]
        if due.follow:
            steps.append(("followed", partial(self._store.transact, self._follow_configuration)))
        steps += [(f"rotation of {purpose}", partial(self._rotate, _ACTOR, purpose, "rotation")) for purpose in due.rotate]
        if due.refresh:
            steps.append(("refreshed", partial(self._store.transact, self._refresh)))
        return await self._run(steps, due.next_due)

    async def _run(self, steps: list[Step], next_due: int) -> ScheduleRun:
        done: list[str] = []
        refused: list[Refusal | FaultyKeys] = []
        for name, step in steps:
            try:
                await step()
                done.append(name)
            except (Refusal, FaultyKeys) as refusal:
                refused.append(refusal)
        return ScheduleRun(tuple(done), tuple(refused), next_due)

    def _look(self, work: Work, now: int) -> _Due:
        records = work.keys.all()
        latest = work.snapshots.latest()
        refresh_at = (latest["generated_at"] if latest else 0) + self._rules.snapshot_refresh_s
        waiting = [record for record in records if record.state == PREPARED and record.auto_activate]
        rotations = {} if self._rules.from_config else _rotations(records, self._rules)
        times = [refresh_at, *rotations.values(), *(record.activatable_at for record in waiting)]
        times += [record.not_after_unix + 1 for record in records if record.state == VERIFY_ONLY and record.not_after_unix is not None]
        return _Due(
            retire=bool(due_moves(records, now)),
            activate=() if self._rules.from_config else tuple(record.kid for record in waiting if record.activatable_at <= now),
            follow=self._rules.from_config and any(record.activatable_at <= now for record in waiting),
            rotate=tuple(purpose for purpose, at in rotations.items() if at <= now),
            refresh=refresh_at <= now,
            next_due=min((time for time in times if time > now), default=now + self._rules.snapshot_refresh_s),
        )

    def _retire(self, work: Work) -> None:
        now = self._append.moment(work, self._clock.now())
        moves = due_moves(work.keys.all(), now)
        if moves:
            make_moves(work, moves, Why(_ACTOR, "cut-off"))
            self._append(work, "retired", now)

    def _follow_configuration(self, work: Work) -> None:
        self._follow(work, self._vault.configured, self._clock.now(), "activated", Why(_ACTOR, "published long enough"))

    def _refresh(self, work: Work) -> None:
        now = self._append.moment(work, self._clock.now())
        latest = work.snapshots.latest()
        if latest is None or latest["generated_at"] + self._rules.snapshot_refresh_s <= now:
            self._append(work, "refresh", now)


def _rotations(records: list[KeyRecord], rules: KeyRules) -> dict[str, int]:
    """When the next rotation of each purpose begins; none while one is under way."""
    found = {}
    for purpose in ROTATED_PURPOSES:
        active = active_of(records, purpose)
        under_way = any(record.purpose == purpose and record.state == PREPARED and record.auto_activate for record in records)
        at = rotation_due_at(active, rules) if active is not None and not under_way else None
        if at is not None:
            found[purpose] = at
    return found
