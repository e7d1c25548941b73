"""How fast revocations reach every verifier node: nearest-rank percentiles and the ratio, nothing invented (keys.md §7)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MOST_WINDOW_HOURS = 336
# Latencies are exact to the millisecond up to here and counted by whole seconds beyond, so that memory is bounded.
_EXACT_MS = 600_000


@dataclass(slots=True)
class SloTally:
    """Counts feed rows one by one, in memory that does not grow with their number; times in milliseconds."""

    target_ms: int
    now_ms: int
    total: int = 0
    observed: int = 0
    overdue: int = 0
    within: int = 0
    lowest_ms: int | None = None
    highest_ms: int | None = None
    counts: Counter[int] = field(default_factory=Counter)

    def add(self, committed_ms: int, applied_ms: int | None) -> None:
        """Count a row; `applied_ms` is the latest application of its nodes, `None` while one is missing."""
        self.total += 1
        if applied_ms is None:
            self.overdue += self.now_ms - committed_ms > self.target_ms
            return
        latency = max(0, applied_ms - committed_ms)
        self.observed += 1
        self.within += latency <= self.target_ms
        self.lowest_ms = latency if self.lowest_ms is None else min(latency, self.lowest_ms)
        self.highest_ms = latency if self.highest_ms is None else max(latency, self.highest_ms)
        self.counts[latency if latency <= _EXACT_MS else -(-latency // 1000) * 1000] += 1

    def percentile(self, percent: int) -> float | None:
        """The nearest-rank percentile in seconds, 3 decimals; `None` without observations."""
        if not self.observed:
            return None
        rank = -(-percent * self.observed // 100)
        passed = 0
        for latency, count in sorted(self.counts.items()):
            passed += count
            if passed >= rank:
                return _seconds(min(latency, self.highest_ms or 0))
        return _seconds(self.highest_ms)

    def ratio(self) -> float | None:
        """Observed within the target over observed and overdue, 6 decimals; `None` when there is nothing to judge."""
        judged = self.observed + self.overdue
        return round(self.within / judged, 6) if judged else None

    def figures(self) -> dict[str, Any]:
        """The report's members about rows and latencies, in the wire's order."""
        return {
            "total_revocations": self.total,
            "observed_revocations": self.observed,
            "pending_revocations": self.total - self.observed,
            "overdue_revocations": self.overdue,
            "compliance_ratio": self.ratio(),
            "latency_seconds": {
                "min": _seconds(self.lowest_ms),
                "p50": self.percentile(50),
                "p95": self.percentile(95),
                "p99": self.percentile(99),
                "max": _seconds(self.highest_ms),
            },
        }


def window(hours: int | None) -> int:
    """The window in hours: 24 if not asked, else clamped to 1–336."""
    return 24 if hours is None else max(1, min(hours, MOST_WINDOW_HOURS))


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else round(ms / 1000, 3)
