"""What identity stands on: the machine, and the neighbours behind its ports."""

from __future__ import annotations

from dataclasses import dataclass, field

from clawscope.identity.adapters.no_cut_offs import NoCutOffs
from clawscope.identity.ports import CutOffs, Leaves, ScopedIssuer, StatementKeys
from clawscope.infra.db.database import Database
from clawscope.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Base:
    """What the machine offers identity."""

    database: Database
    clock: Clock


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What other slices offer identity; without statement keys nothing is exported."""

    cut_offs: CutOffs = field(default_factory=NoCutOffs)
    statement_keys: StatementKeys | None = None
    scoped_issuer: ScopedIssuer | None = None
    leaves: Leaves | None = None
