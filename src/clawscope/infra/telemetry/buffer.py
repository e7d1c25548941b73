"""The bounded buffer between requests and telemetry: a request never waits for it and never fails by it (insight.md §1.1)."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class TelemetryBuffer(Generic[Entry]):
    """Holds at most `size` entries; full, it drops the newest and counts. Safe from any thread."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: deque[Entry] = deque()
        self._dropped = 0
        # Held for a few instructions only, never across anything that waits.
        self._lock = threading.Lock()

    def offer(self, entry: Entry) -> None:
        """Take an entry, or drop it if there is no room."""
        with self._lock:
            if len(self._entries) < self._size:
                self._entries.append(entry)
            else:
                self._dropped += 1

    def drain(self, most: int) -> list[Entry]:
        """Take out up to `most` entries, oldest first."""
        with self._lock:
            return [self._entries.popleft() for _ in range(min(most, len(self._entries)))]

    @property
    def dropped(self) -> int:
        """How many entries were dropped since the process began."""
        return self._dropped

    def __len__(self) -> int:
        return len(self._entries)
