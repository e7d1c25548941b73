"""Report how fast revocations reached the verifier nodes (keys.md §7)."""

from __future__ import annotations

from typing import Any

from clawscope.issuer.domain import events
from clawscope.issuer.domain.key_errors import REVOCATION_SLO_REPORT_FAILED
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.rows import NodeState
from clawscope.issuer.domain.slo import MOST_WINDOW_HOURS, SloTally, window
from clawscope.issuer.ports import Store, Work
from clawscope.kernel.clock import Clock, iso_ms
from clawscope.kernel.errors import Refusal
from clawscope.kernel.events import Event
from clawscope.kernel.ids import new_id

EVERY_S = 3600


class ReportSlo:
    """Reads the window in the store; keeps the report where asked."""

    def __init__(self, store: Store, clock: Clock, rules: KeyRules) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules

    async def __call__(self, window_hours: int | None, *, persist: bool) -> dict[str, Any]:
        """The report's body. Raises 500 `REVOCATION_SLO_REPORT_FAILED` if it cannot be read or kept."""
        hours = window(window_hours)
        try:
            report = await self._store.read(lambda work: self._compute(work, hours))
            if persist:
                await self._store.transact(lambda work: _keep(work, report))
        except Refusal as refusal:
            raise REVOCATION_SLO_REPORT_FAILED("the store cannot be read; retry in a moment") from refusal
        return report

    async def prune(self) -> int:
        """Drop node reports beyond the longest window, and an hour; how many."""
        before_ms = self._clock.now_ms() - (MOST_WINDOW_HOURS + 1) * 3_600_000
        return await self._store.transact(lambda work: int(work.nodes.prune(before_ms)))

    async def hourly(self) -> bool:
        """Keep a report if the newest kept one is an hour old; whether one was kept. Raises as the report."""
        last = await self._store.read(lambda work: work.nodes.last_report_at())
        if last is not None and self._clock.now() < last + EVERY_S:
            return False
        await self(None, persist=True)
        return True

    def _compute(self, work: Work, hours: int) -> dict[str, Any]:
        now_ms = self._clock.now_ms()
        tally = SloTally(self._rules.slo_target_s * 1000, now_ms)
        for _, committed_ms, applied_ms in work.nodes.latencies(now_ms - hours * 3_600_000, now_ms, self._rules.node_live_s * 1000):
            tally.add(committed_ms, applied_ms)
        head = work.revocations.head()
        present = [node for node in work.nodes.all() if not node.left]
        silent_since = now_ms - self._rules.node_forget_s * 1000
        now = now_ms // 1000
        return {
            "report_version": "1",
            "generated_at": now,
            "generated_at_iso": iso_ms(now),
            "window_hours": hours,
            "slo_target_seconds": self._rules.slo_target_s,
            **tally.figures(),
            "nodes": [_shown(node, head) for node in present if node.last_seen_ms >= silent_since],
            "lost_nodes": [_shown(node, head) for node in present if node.last_seen_ms < silent_since],
            "report_id": new_id("rsl"),
        }


def _keep(work: Work, report: dict[str, Any]) -> None:
    work.nodes.keep_report(report["report_id"], report["generated_at"], report)
    data = {
        "report_id": report["report_id"],
        "compliance_ratio": report["compliance_ratio"],
        "total_revocations": report["total_revocations"],
    }
    work.events.put(Event(new_id("evt"), events.SLO_REPORT_STORED, report["generated_at"], data))


def _shown(node: NodeState, head: int) -> dict[str, Any]:
    return {
        "node_id": node.node_id,
        "kind": node.kind,
        "applied_sequence": node.applied_sequence,
        "lag": max(0, head - node.applied_sequence),
        "last_seen_at": node.last_seen_ms // 1000,
    }
