"""Requests per second from one source, for anonymous routes: never more than N in any rolling second (DESIGN.md, ruling 12)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

WINDOW_MS = 1000
CELL_MS = 100
# The running cell and all that reach into the last second; the oldest is counted whole, so the true count is never higher.
_CELLS = WINDOW_MS // CELL_MS + 1


@dataclass(frozen=True, slots=True)
class Charge:
    """The answer to one call: `remaining` more would be allowed now, and in `retry_after_s` seconds (≥ 1) that number grows."""

    allowed: bool
    limit: int
    remaining: int
    retry_after_s: int

    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit` (draft-11); none where there is no limit. `Retry-After` goes with the refusal."""
        if self.limit == 0:
            return {}
        return {"RateLimit-Policy": f'"second";q={self.limit};w=1', "RateLimit": f'"second";r={self.remaining};t={self.retry_after_s}'}


class _Ring:
    """Charges of the last cells of one source."""

    __slots__ = ("counts", "newest", "used")

    def __init__(self, cell: int) -> None:
        self.counts = [0] * _CELLS
        self.newest = cell
        self.used = 0

    def move_to(self, cell: int) -> None:
        for passed in range(self.newest + 1, min(cell, self.newest + _CELLS) + 1):
            self.used -= self.counts[passed % _CELLS]
            self.counts[passed % _CELLS] = 0
        self.newest = max(self.newest, cell)

    def charge(self) -> None:
        self.counts[self.newest % _CELLS] += 1
        self.used += 1

    def oldest_charged(self) -> int:
        """The oldest cell that holds a charge, or the running one."""
        return next((cell for cell in range(self.newest - _CELLS + 1, self.newest) if self.counts[cell % _CELLS]), self.newest)

    def copy(self) -> _Ring:
        made = _Ring(self.newest)
        made.counts, made.used = list(self.counts), self.used
        return made


class SourceRate:
    """Counts up to `most_sources` sources in this process; `per_second` 0 switches the limit off. One event loop, no locking.

    Only sources idle for a whole window are forgotten. When all are busy, newcomers share one ring, and whoever gets a ring
    of its own starts with the shared charges: neither a flood of sources nor changing rings lets one source exceed its limit.
    """

    def __init__(self, per_second: int, most_sources: int = 10_000) -> None:
        self.per_second = per_second
        self._most = most_sources
        self._rings: OrderedDict[str, _Ring] = OrderedDict()
        self._shared = _Ring(0)
        self._now_ms = 0

    def charge(self, source: str, now_ms: int) -> Charge:
        """Charge one call of a source if it is allowed. A clock that steps back is read as standing still."""
        if self.per_second == 0:
            return Charge(True, 0, 0, 1)
        self._now_ms = max(self._now_ms, now_ms)
        ring = self._ring(source, self._now_ms // CELL_MS)
        allowed = ring.used < self.per_second
        if allowed:
            ring.charge()
        # A cell leaves the count when it no longer reaches into the last second.
        wait_ms = (ring.oldest_charged() + _CELLS) * CELL_MS - self._now_ms
        return Charge(allowed, self.per_second, self.per_second - ring.used, max(1, -(-wait_ms // 1000)))

    def __len__(self) -> int:
        return len(self._rings)

    def _ring(self, source: str, cell: int) -> _Ring:
        ring = self._rings.get(source)
        if ring is None:
            ring = self._new_ring(source, cell)
        else:
            self._rings.move_to_end(source)
        ring.move_to(cell)
        return ring

    def _new_ring(self, source: str, cell: int) -> _Ring:
        self._shared.move_to(cell)
        if len(self._rings) >= self._most:
            stalest = next(iter(self._rings))
            if self._rings[stalest].newest > cell - _CELLS:
                return self._shared
            del self._rings[stalest]
        return self._rings.setdefault(source, self._shared.copy())
