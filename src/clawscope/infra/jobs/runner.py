"""Runs periodic jobs; of several processes only the lease holder runs a leased one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from clawscope.infra.db.database import Database
from clawscope.infra.db.leases import take_lease
from clawscope.infra.telemetry.logs import get_logger
from clawscope.kernel.clock import Clock
from clawscope.kernel.errors import Refusal
from clawscope.kernel.ids import new_id

_log = get_logger("jobs")
_LEASE_FACTOR = 3
_LEAST_LEASE_S = 10


@dataclass(frozen=True, slots=True)
class Job:
    """`run` every `every_s` seconds; a `leased` job runs in one process at a time."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]
    leased: bool = True


class JobRunner:
    """One task per job; a failing run is logged and tried again at its next turn."""

    def __init__(self, database: Database, clock: Clock, jobs: Sequence[Job]) -> None:
        self._database = database
        self._clock = clock
        self._jobs = jobs
        self._holder = new_id("job")
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start every job."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._repeat(job), name=f"job:{job.name}") for job in self._jobs]

    async def stop(self) -> None:
        """Stop every job and wait for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, job: Job) -> None:
        while True:
            try:
                if not job.leased or await self._holds_lease(job):
                    await job.run()
            except Refusal as refusal:
                _log.warning("job refused", job=job.name, code=refusal.code.name)
            except Exception:
                _log.exception("job failed", job=job.name)
            await asyncio.sleep(job.every_s)

    async def _holds_lease(self, job: Job) -> bool:
        ttl_s = max(_LEAST_LEASE_S, int(job.every_s * _LEASE_FACTOR))
        return await self._database.transact(lambda tx: take_lease(tx, job.name, self._holder, self._clock.now(), ttl_s))
