"""The application of one process: opened from settings, started, served, stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clawscope import __version__
from clawscope.identity.settings import IdentitySettings
from clawscope.identity.wiring import Base as IdentityBase
from clawscope.identity.wiring import Identity
from clawscope.identity.wiring import Neighbours as IdentityNeighbours
from clawscope.infra.bell.settings import BellSettings
from clawscope.infra.config.loading import ConfigProblems, Loaded
from clawscope.infra.db.database import Database
from clawscope.infra.db.open import open_database
from clawscope.infra.db.outbox import Relay
from clawscope.infra.db.settings import DbSettings
from clawscope.infra.db.version import HEAD, standing_version
from clawscope.infra.http.application import application
from clawscope.infra.http.dispatch import Surroundings
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.idempotency import Idempotency
from clawscope.infra.http.openapi import document
from clawscope.infra.http.probes import Probes
from clawscope.infra.jobs.runner import Job, JobRunner
from clawscope.infra.limit.source_rate import SourceRate
from clawscope.infra.telemetry.logs import get_logger
from clawscope.infra.telemetry.metrics import Metrics
from clawscope.issuer.settings import IssuerSettings
from clawscope.issuer.wiring import Base, Issuer, Neighbours, issuer_endpoints
from clawscope.kernel.clock import Clock, SystemClock
from clawscope.kernel.events import Event
from clawscope.kernel.ids import random_hex
from clawscope.main.introductions import IssuerCutOffs, IssuerStatementKeys, issuer_neighbours
from clawscope.main.not_ready import NotReadyToStart
from clawscope.main.telemetry import TelemetryOut

if TYPE_CHECKING:
    from clawscope.infra.bell.valkey import ValkeyBell

_events = get_logger("events")
_log = get_logger("server")
Reread = Callable[[], IssuerSettings]
_OUTBOX_KEEP_S = 7 * 86400


@dataclass(frozen=True, slots=True)
class Options:
    """How this start was asked for: dev mode, and whether the operator vouches for the clock."""

    dev: bool = False
    clock_confirmed: bool = False


class Application:
    """Everything one process serves."""

    def __init__(
        self,
        loaded: Loaded,
        options: Options,
        *,
        clock: Clock | None = None,
        neighbours: Neighbours | None = None,
        reread: Reread | None = None,
    ) -> None:
        self._options = options
        self.issuer_settings: IssuerSettings = loaded.sections["issuer"]
        db: DbSettings = loaded.sections["db"]
        bell: BellSettings = loaded.sections["bell"]
        self.clock: Clock = clock or SystemClock()
        self.metrics = Metrics()
        assert db.url is not None  # required by its declaration
        self.database: Database = open_database(db.url.reveal(), observe_batch=self.metrics.committed)
        self._bell = _bell(bell)
        self._telemetry = TelemetryOut(loaded.sections["telemetry"], self.metrics)
        ring = self._bell.ring if self._bell is not None else _silence
        base = Base(self.database, self.clock, self._telemetry.facts, self.metrics, ring, self._bell is not None, f"issuer-{random_hex(4)}")
        cut_offs, statement_keys = IssuerCutOffs(), IssuerStatementKeys()
        self.identity = self._identity(loaded.sections["identity"], IdentityNeighbours(cut_offs, statement_keys))
        self._neighbours = neighbours or issuer_neighbours(self.issuer_settings, self.identity)
        self.issuer = Issuer(self.issuer_settings, base, self._neighbours)
        cut_offs.connect(self.issuer)
        statement_keys.connect(self.issuer)
        self._idempotency = Idempotency(self.database, self.clock, self.issuer_settings.idempotency_ttl_s)
        # Without anybody to deliver to, events wait in the outbox for their readers, and are trimmed by age.
        shown = loaded.sections["telemetry"].log_level in ("debug", "info")
        self._relay = Relay(self.database, {"log": _log_event} if shown else {})
        self._jobs: JobRunner | None = None
        self._reread = reread

    def _identity(self, settings: IdentitySettings, neighbours: IdentityNeighbours) -> Identity | None:
        """Identity is served where it has a name; elsewhere it is asked over HTTP, or not at all."""
        if not settings.service_did:
            return None
        return Identity(settings, IdentityBase(self.database, self.clock), neighbours)

    async def start(self) -> None:
        """Open, check, load. Raises `NotReadyToStart`, and refusals of the store."""
        standing = await standing_version(self.database)
        if standing != HEAD:
            stands = standing or "nothing"
            raise NotReadyToStart(f"the database schema is at {stands}, this version needs {HEAD}: run `clawscope migrate`")
        await self._check_clock()
        await self.issuer.start()
        if self.identity is not None:
            await self.identity.start()
        if self._bell is not None:
            self._bell.listen(self.issuer.look)
        self._jobs = JobRunner(
            self.database, self.clock, [*self.issuer.jobs(), *(self.identity.jobs() if self.identity else ()), *self._own_jobs()]
        )
        self._jobs.start()
        if self._reread is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._on_hangup)

    async def stop(self) -> None:
        """Finish what runs, then close."""
        if self._jobs is not None:
            await self._jobs.stop()
        await self.issuer.stop()
        await self._telemetry.flush()
        self._telemetry.close()
        if self._bell is not None:
            await self._bell.close()
        close = getattr(self._neighbours.chains, "close", None)
        if close is not None:
            await close()
        await self.database.close()

    def endpoints(self) -> list[Endpoint]:
        """Every route of this process."""
        probes = Probes(__version__, self.metrics, self._standing, [self.issuer.health])
        endpoints = [*probes.endpoints(), *issuer_endpoints(self.issuer), *(self.identity.endpoints() if self.identity else ())]
        probes.describe(document(endpoints, __version__))
        return endpoints

    def asgi(self) -> Any:
        """The ASGI application."""
        per_second = self.issuer_settings.introspect_anonymous_per_s
        around = Surroundings(
            gate=self.issuer.gate,
            idempotency=self._idempotency,
            limiter=SourceRate(per_second) if per_second else None,
            metrics=self.metrics,
            clock=self.clock,
            base_url=self.issuer_settings.url,
            spans=self._telemetry.spans,
        )
        return application(self.endpoints(), around, self.start, self.stop)

    def _on_hangup(self) -> None:
        self._reloading = asyncio.get_running_loop().create_task(self._reload())

    async def _reload(self) -> None:
        """Read the configuration again and take over its keys; anything faulty changes nothing."""
        assert self._reread is not None  # the handler is installed only then
        try:
            settings = self._reread()
        except ConfigProblems as problems:
            _log.warning("configuration not reloaded", problems=problems.lines)
            await self.issuer.keys.refuse_reload(problems.lines)
            return
        await self.issuer.keys.reload(settings.keys)

    async def _check_clock(self) -> None:
        latest = await self.issuer.latest_commit()
        behind = latest - self.clock.now()
        if behind > self.issuer_settings.clock_skew_s and not self._options.clock_confirmed:
            raise NotReadyToStart(f"the clock is {behind} s behind the store's last commit: set it right, or start with --clock-confirmed")

    async def _standing(self) -> Mapping[str, bool]:
        return {"store": await standing_version(self.database) == HEAD, **self.issuer.ready()}

    def _own_jobs(self) -> list[Job]:
        return [
            Job("outbox.relay", 1, self._relay.run_once),
            Job("outbox.trim", 3600, lambda: self._relay.trim(self.clock.now() - _OUTBOX_KEEP_S)),
            Job("idempotency.expire", 60, self._idempotency.expire),
            Job("telemetry.flush", 1, self._telemetry.flush, leased=False),
        ]


async def _log_event(event: Event) -> None:
    _events.info(event.name, event_id=event.event_id, at=event.at, **{f"data_{name}": value for name, value in event.data.items()})


def _bell(settings: BellSettings) -> ValkeyBell | None:
    if settings.url is None:
        return None
    from clawscope.infra.bell.valkey import ValkeyBell  # a start without a bell does not pay for its client

    return ValkeyBell(settings.url.reveal())


def _silence() -> None:
    """No bell: others poll."""
