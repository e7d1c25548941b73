"""Identity of one process: its parts, its start and stop, its jobs and routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawscope.identity.adapters.doors import Doors
from clawscope.identity.adapters.refusals import Refusals
from clawscope.identity.adapters.source_limits import MinuteLimit
from clawscope.identity.adapters.store import SqlWork, identity_store
from clawscope.identity.domain import scope_challenge
from clawscope.identity.domain.challenge import REMEMBERED_S
from clawscope.identity.domain.policy import PolicyRules
from clawscope.identity.domain.rules import Rules
from clawscope.identity.settings import IdentitySettings, exporter_keys
from clawscope.identity.usecases.expire_transfers import ExpireTransfers
from clawscope.identity.usecases.read_identity import ReadIdentity
from clawscope.identity.wiring.routes import identity_endpoints
from clawscope.identity.wiring.surroundings import Base, Neighbours
from clawscope.infra.db.tx import Tx
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.jobs.runner import Job


class Identity:
    """Made once per process; `start` before the first request, `stop` after the last."""

    def __init__(self, settings: IdentitySettings, base: Base, neighbours: Neighbours) -> None:
        self.settings = settings
        self.base = base
        self.neighbours = neighbours
        self.rules = _rules(settings)
        self.store = identity_store(base.database)
        self.reads = ReadIdentity(self.store, base.clock)
        self.doors = Doors(
            MinuteLimit(settings.challenges_per_minute_per_ip, base.clock),
            MinuteLimit(settings.reads_per_minute_per_ip, base.clock),
            Refusals(self.store, base.clock),
        )
        self._expire_transfers = ExpireTransfers(self.store, base.clock)

    async def start(self) -> None:
        """Nothing is kept in memory; the store must answer."""
        await self.store.read(lambda work: work.audit.last())

    async def stop(self) -> None:
        """Nothing to end."""

    async def chain(self, controller_did: str, agent_did: str) -> Mapping[str, Any]:
        """The chain read for neighbours in this process: its body (identity.md §5).

        Raises `CONTROLLER_NOT_FOUND`, `CONTROLLER_AGENT_NOT_FOUND`, store codes.
        """
        return await self.reads.chain(controller_did, agent_did)

    def work_on(self, transaction: Tx) -> SqlWork:
        """Identity's unit of work on a neighbour's transaction, for what must commit with it."""
        return transaction.work(SqlWork)

    def ready(self) -> Mapping[str, bool]:
        """What must stand before requests are served: nothing beyond the store."""
        return {}

    def health(self) -> dict[str, Any]:
        """Identity's share of `GET /health`: nothing."""
        return {}

    def jobs(self) -> list[Job]:
        """What happens by the clock."""
        return [
            Job("identity.challenges", 60, self.forget_challenges),
            Job("identity.transfers", 5, self._expire_transfers),
        ]

    async def forget_challenges(self) -> int:
        """Drop challenges nobody may use or ask about any more; returns how many."""
        now = self.base.clock.now()
        dropped: int = await self.store.transact(lambda work: work.challenges.expire(now - REMEMBERED_S))
        # A used one must be known for a day after its use, which was at the latest its last second.
        dropped += await self.store.transact(lambda work: work.scope_challenges.expire(now - scope_challenge.REMEMBERED_S))
        return dropped

    def endpoints(self) -> list[Endpoint]:
        """Every route of identity."""
        return identity_endpoints(self)


def _rules(settings: IdentitySettings) -> Rules:
    return Rules(
        service_did=settings.service_did,
        challenge_ttl_s=settings.challenge_ttl_s,
        message_versions=settings.message_versions,
        policy=PolicyRules(frozenset(settings.unbound_policy_scopes), settings.require_bound_policy),
        consent_required=settings.subject_consent == "required",
        transfer_ttl_s=settings.transfer_ttl_s,
        open_challenges_per_did=settings.open_challenges_per_did,
        exchange_challenge_ttl_s=settings.exchange_challenge_ttl_s,
        exchange_tier=settings.exchange_tier,
        clawlogs_mode=settings.clawlogs_mode,
        import_max_age_s=settings.import_max_age_s,
        export_max_agents=settings.export_max_agents,
        trusted_exporters={issuer: exporter_keys(text) for issuer, text in settings.trusted_exporters.items()},
    )
