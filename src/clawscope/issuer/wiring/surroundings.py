"""What the issuer stands on: the machine, and the neighbours behind its ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clawscope.infra.db.database import Database
from clawscope.infra.telemetry.buffer import TelemetryBuffer
from clawscope.infra.telemetry.metrics import Metrics
from clawscope.issuer.ports import ApiTokens, Chains, PolicyBook, Tiers, TransparencyLog
from clawscope.kernel.clock import Clock
from clawscope.kernel.events import Event


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What other slices offer the issuer; absent ones refuse, or are not asked."""

    chains: Chains
    tiers: Tiers
    policies: PolicyBook | None = None
    log: TransparencyLog | None = None
    api_tokens: ApiTokens | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """What the machine offers the issuer. `ring` tells other processes of a commit; `node_id` names this process."""

    database: Database
    clock: Clock
    telemetry: TelemetryBuffer[Event]
    metrics: Metrics
    ring: Callable[[], None]
    has_bell: bool
    node_id: str
