"""The issuer's store in memory: keys, snapshots, nodes, events; same promises, no database."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from clawscope.issuer.domain.feed import FeedRow
from clawscope.issuer.domain.keyring import ACTIVE, KeyRecord
from clawscope.issuer.domain.rows import NodeState
from clawscope.kernel.clock import ManualClock
from clawscope.kernel.events import Event
from tests.fakes.memory_records import MemoryAnswers, MemoryApprovals, MemoryIssuances, MemoryLocks, MemoryRevocations


class MemoryKeys:
    def __init__(self) -> None:
        self.rows: dict[str, KeyRecord] = {}

    def all(self) -> list[KeyRecord]:
        return sorted(self.rows.values(), key=lambda record: (record.position, record.kid))

    def get(self, kid: str) -> KeyRecord | None:
        return self.rows.get(kid)

    def is_active(self, kid: str) -> bool:
        record = self.rows.get(kid)
        return record is not None and record.state == ACTIVE

    def add(self, record: KeyRecord) -> None:
        assert record.kid not in self.rows
        assert all(one.public != record.public for one in self.rows.values())
        self.rows[record.kid] = record

    def move(self, kid: str, from_state: str, to_state: str, **changes: Any) -> bool:
        record = self.rows.get(kid)
        if record is None or record.state != from_state:
            return False
        self.rows[kid] = replace(record, state=to_state, **changes)
        return True


class MemorySnapshots:
    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []

    def take(self) -> int:
        return len(self.rows)

    def head(self) -> int:
        return len(self.rows)

    def latest(self) -> Mapping[str, Any] | None:
        return self.rows[-1] if self.rows else None

    def append(self, entry: Mapping[str, Any]) -> None:
        if entry["sequence"] != len(self.rows) + 1:
            raise ValueError("a snapshot follows the one before it")
        self.rows.append(entry)

    def page(self, before: int | None, since: int | None, most: int) -> list[Mapping[str, Any]]:
        if since is not None:
            return self.rows[since : since + most]
        return [row for row in reversed(self.rows) if before is None or row["sequence"] < before][:most]


class MemoryNodes:
    def __init__(self, revocations: MemoryRevocations) -> None:
        self._revocations = revocations
        self.rows: dict[str, NodeState] = {}
        self.stretches: list[list[Any]] = []  # node_id, from_ms, to_ms, left
        self.applications: list[tuple[str, int, int]] = []
        self.reports: list[tuple[int, Mapping[str, Any]]] = []

    def get(self, node_id: str) -> NodeState | None:
        return self.rows.get(node_id)

    def heard(self, node: NodeState, gap_ms: int) -> None:
        self.rows[node.node_id] = node
        own = [stretch for stretch in self.stretches if stretch[0] == node.node_id]
        if own and not own[-1][3] and node.last_seen_ms - own[-1][2] <= gap_ms:
            own[-1][2:] = [node.last_seen_ms, node.left]
        else:
            self.stretches.append([node.node_id, node.last_seen_ms, node.last_seen_ms, node.left])
        if node.applied_sequence > max((sequence for name, sequence, _ in self.applications if name == node.node_id), default=-1):
            self.applications.append((node.node_id, node.applied_sequence, node.last_seen_ms))

    def all(self) -> list[NodeState]:
        return sorted(self.rows.values(), key=lambda node: node.node_id)

    def mark_lost(self, node_id: str) -> None:
        self.rows[node_id] = replace(self.rows[node_id], lost_told=True)

    def latencies(self, from_ms: int, to_ms: int, live_ms: int) -> Iterator[tuple[int, int, int | None]]:
        for row in self._revocations.rows:
            if from_ms <= row.committed_at_ms <= to_ms:
                yield row.sequence, row.committed_at_ms, self._latest(row, live_ms)

    def keep_report(self, report_id: str, generated_at: int, body: Mapping[str, Any]) -> None:
        self.reports.append((generated_at, body))

    def last_report_at(self) -> int | None:
        return max((at for at, _ in self.reports), default=None)

    def _latest(self, row: FeedRow, live_ms: int) -> int | None:
        applied: list[int | None] = []
        for name, from_ms, to_ms, left in self.stretches:
            if from_ms > row.committed_at_ms or to_ms < row.committed_at_ms - live_ms or (left and to_ms < row.committed_at_ms):
                continue
            at = min((at for node, sequence, at in self.applications if node == name and sequence >= row.sequence), default=None)
            if left and (at is None or at > to_ms):
                continue
            applied.append(at)
        return None if not applied or None in applied else max(at for at in applied if at is not None)


class MemoryEvents:
    def __init__(self) -> None:
        self.rows: list[Event] = []

    def put(self, event: Event) -> None:
        self.rows.append(event)

    def names(self) -> list[str]:
        return [event.name for event in self.rows]


class MemoryLogCursors:
    def __init__(self) -> None:
        self.rows: dict[str, int] = {}

    def at(self, log_id: str) -> int:
        return self.rows.get(log_id, 0)

    def move(self, log_id: str, sequence: int) -> None:
        self.rows[log_id] = sequence


class MemoryWork:
    """The unit of work."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.keys = MemoryKeys()
        self.snapshots = MemorySnapshots()
        self.revocations = MemoryRevocations()
        self.issuances = MemoryIssuances(self.revocations)
        self.revocations.issuances = self.issuances
        self.locks = MemoryLocks()
        self.approvals = MemoryApprovals()
        self.answers = MemoryAnswers()
        self.nodes = MemoryNodes(self.revocations)
        self.events = MemoryEvents()
        self.log_cursors = MemoryLogCursors()

    def committed_at_ms(self) -> int:
        return self._clock.now_ms()


class MemoryStore:
    """Runs functions one at a time; one that raises leaves nothing."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.work = MemoryWork(clock)

    async def transact(self, function: Callable[[Any], Any]) -> Any:
        # A copy per transaction; the clock is shared, not copied.
        draft = copy.deepcopy(self.work, {id(self.clock): self.clock})
        value = function(draft)
        self.work = draft
        return value

    async def read(self, function: Callable[[Any], Any]) -> Any:
        return function(copy.deepcopy(self.work, {id(self.clock): self.clock}))

    look = read
