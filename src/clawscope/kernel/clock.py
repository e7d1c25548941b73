"""Time as the whole system reads it. The only file that asks the machine for the wall clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Seconds since the epoch that never run back within a process (tokens.md §0)."""

    def now(self) -> int:
        """The current second."""
        ...

    def now_ms(self) -> int:
        """The current millisecond, for commit times and latencies."""
        ...


class SystemClock:
    """The machine's clock, held at the highest reading this process has seen."""

    def __init__(self) -> None:
        self._highest_ms = 0

    def now_ms(self) -> int:
        """Epoch milliseconds, never lower than an earlier answer."""
        reading = time.time_ns() // 1_000_000
        if reading > self._highest_ms:
            self._highest_ms = reading
        return self._highest_ms

    def now(self) -> int:
        """Epoch seconds, never lower than an earlier answer."""
        return self.now_ms() // 1000


class ManualClock:
    """A clock a test moves by hand."""

    def __init__(self, at: int = 1_800_000_000) -> None:
        self.at_ms = at * 1000

    def now_ms(self) -> int:
        """The set millisecond."""
        return self.at_ms

    def now(self) -> int:
        """The set second."""
        return self.at_ms // 1000

    def move(self, seconds: float) -> None:
        """Move forward (or back) by some seconds."""
        self.at_ms += int(seconds * 1000)


def monotonic_us() -> int:
    """Microseconds of the monotonic clock, for durations."""
    return time.monotonic_ns() // 1000


def iso_ms(seconds: int, ms: int = 0) -> str:
    """Epoch seconds as UTC text with milliseconds: `2027-01-15T08:00:00.000Z`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"
