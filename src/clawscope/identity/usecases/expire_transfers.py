"""A transfer past its time is gone; whoever writes next, or the job, records it (identity.md §7)."""

from __future__ import annotations

from dataclasses import replace

from clawscope.identity.domain import events
from clawscope.identity.domain.chain import Way
from clawscope.identity.domain.records import Controller
from clawscope.identity.ports import Store, Work
from clawscope.identity.usecases.recording import Fact, record
from clawscope.identity.usecases.resolving import controller_at
from clawscope.kernel.clock import Clock

_BATCH = 200


class ExpireTransfers:
    """Restores the former state of records whose transfer ran out."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self) -> int:
        """Record what ran out; returns how many transfers."""
        done = 0
        while count := await self._store.transact(self._expire):
            done += count
        return done

    def _expire(self, work: Work) -> int:
        now = self._clock.now()
        overdue = work.controllers.overdue(now, _BATCH)
        for controller in overdue:
            expire_transfer(work, controller, now)
        return len(overdue)


def expire_transfer(work: Work, controller: Controller, now: int) -> Controller:
    """Write and record the end of a transfer that ran out."""
    assert controller.transfer is not None
    changed = replace(controller.without_transfer(), version=controller.version + 1)
    work.controllers.change(changed)
    details = {"transfer_to_owner_did": controller.transfer.to_owner_did, "transfer_expires_at": controller.transfer.expires_at}
    record(work, Fact(events.TRANSFER_EXPIRED, controller.owner_did, controller.controller_did, details), now)
    return changed


def controller_to_change(work: Work, requested_did: str, now: int) -> tuple[Controller, Way]:
    """The record a change is about, an overdue transfer recorded first. Raises `CONTROLLER_NOT_FOUND`."""
    controller, way = controller_at(work, requested_did, now)
    stored = work.controllers.get(controller.controller_did)
    if stored is not None and stored.is_pending and not controller.is_pending:
        controller = expire_transfer(work, stored, now)
    return controller, way
