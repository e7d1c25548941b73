"""The issuer of one process: its parts, its start and stop, its jobs and routes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from clawscope.infra.db.database import Transactor
from clawscope.infra.db.tx import Tx
from clawscope.infra.jobs.runner import Job
from clawscope.issuer.adapters.credentials import Credentials, NoApiTokens, OperatorKeys
from clawscope.issuer.adapters.current_view import CurrentView
from clawscope.issuer.adapters.denials import Denials
from clawscope.issuer.adapters.follow import Followers
from clawscope.issuer.adapters.gate import Gatekeeper
from clawscope.issuer.adapters.store import SqlWatermark, issuer_work, latest_second
from clawscope.issuer.settings import IssuerSettings
from clawscope.issuer.usecases.end_tokens import EndTokens
from clawscope.issuer.usecases.publish_issuances import PublishIssuances
from clawscope.issuer.usecases.read_feed import ReadFeed
from clawscope.issuer.usecases.read_token import ReadToken, VerifiedCache
from clawscope.issuer.wiring.keys import KeyPart
from clawscope.issuer.wiring.surroundings import Base, Neighbours
from clawscope.kernel.errors import Refusal
from clawscope.protocol.verify_token import Rules

_POLL_S = 0.5
_WITHIN_WITH_BELL_S, _WITHIN_S = 1, 2


class Issuer:
    """Made once per process; `start` before the first request, `stop` after the last."""

    def __init__(self, settings: IssuerSettings, base: Base, neighbours: Neighbours) -> None:
        self.settings = settings
        self.base = base
        self.neighbours = neighbours
        self._make_work = issuer_work(base.clock, settings.idempotency_ttl_s, self._ring)
        self.store = Transactor(base.database, self._make_work)
        self.keys = KeyPart(settings, self.store, base, neighbours.log)
        self.view = CurrentView(self.store, SqlWatermark(base.database), self.keys.load, base.clock)
        self.denials = Denials(self.store, base.clock, base.telemetry, base.metrics)
        rules = Rules(settings.url, settings.clock_skew_s, settings.hard_max_ttl_s, settings.accept_missing_kid)
        self.read = ReadToken(self.view, base.clock, rules, VerifiedCache(settings.verified_cache_entries))
        self.credentials = Credentials(OperatorKeys(settings.operator_keys), neighbours.api_tokens or NoApiTokens())
        self.gate = Gatekeeper(
            self.credentials,
            self.read,
            self.store,
            mode=settings.protected_auth_mode,
            own_audiences=settings.own_audiences(),
            issuer_url=settings.url,
        )
        self.feed = ReadFeed(
            self.store, self.view, base.clock, snapshot_valid_s=settings.snapshot_valid_s, clock_skew_s=settings.clock_skew_s
        )
        self.followers = Followers(
            self.view, self.feed, base.clock, heartbeat_s=settings.sse_heartbeat_s, max_subscribers=settings.sse_max_subscribers
        )
        self._end = EndTokens(base.clock, hard_max_ttl_s=settings.hard_max_ttl_s, clock_skew_s=settings.clock_skew_s)
        self._publish = PublishIssuances(self.store, neighbours.log)
        self._looking: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Make the keys stand, then load the view."""
        await self.keys.start()
        await self.view.start()
        await self.keys.report(self.view)

    async def stop(self) -> None:
        """End open streams and leave the list of verifier nodes in good order."""
        self.followers.close()
        await self.keys.stop()

    async def look(self) -> None:
        """Bring the view up to the store: after an own commit, or when the bell rang."""
        try:
            await self.view.fresh()
        except Refusal:
            return  # the poll job looks again in a moment, and every request for itself

    async def latest_commit(self) -> int:
        """The latest second the store knows of, to notice a clock that runs behind it; 0 for an empty store."""
        return await self.store.read(latest_second)

    def end_tokens(self, transaction: Tx, dimension: str, value: str, reason: str) -> None:
        """End tokens in a neighbour's transaction: what they rested on ends with it (see `EndTokens`)."""
        work: Any = transaction.work(self._make_work)
        self._end(work, dimension, value, reason)

    def ready(self) -> Mapping[str, bool]:
        """What must stand before requests are served."""
        return {"keys": self.view.keyring.can_sign("token"), "revocations": self.view.confirmed_at_ms > 0}

    def health(self) -> dict[str, Any]:
        """The issuer's share of `GET /health`."""
        keyring = self.view.keyring
        return {
            "signingEnabled": keyring.can_sign("token") and keyring.can_sign("statement"),
            "revocation_sequence": self.view.revocations.sequence,
            "revocation_age_ms": max(0, self.base.clock.now_ms() - self.view.confirmed_at_ms),
        }

    def jobs(self) -> list[Job]:
        """What happens by the clock."""
        return [
            Job("issuer.view", _POLL_S, self._look, leased=False),
            Job("issuer.forget", 60, self._forget, leased=False),
            Job("issuer.audit_leaves", 2, self._publish),
            *self.keys.jobs(),
        ]

    @property
    def effective_within_s(self) -> int:
        """What verifiers elsewhere may lag behind a commit (tokens.md §4.4)."""
        return _WITHIN_WITH_BELL_S if self.base.has_bell else _WITHIN_S

    async def _look(self) -> None:
        self.base.metrics.revocation_lag(max(0, self.base.clock.now_ms() - self.view.confirmed_at_ms) / 1000)
        await self.view.fresh()

    async def _forget(self) -> None:
        self.view.forget()

    def _ring(self) -> None:
        # After a commit: this process looks at once, the others hear the bell or look within half a second.
        task = asyncio.get_running_loop().create_task(self.look())
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)
        self.base.ring()
