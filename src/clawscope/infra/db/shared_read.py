"""One tiny read for all who ask at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class SharedRead(Generic[Value]):
    """Joins requests for the same read: a caller never gets a read that began before it asked (tokens.md §4.4)."""

    def __init__(self, read: Callable[[], Awaitable[Value]]) -> None:
        self._read = read
        self._next: asyncio.Future[Value] | None = None
        self._running = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self) -> Value:
        """The value, by a read begun after this call."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            if not self._running:
                self._start()
        return await asyncio.shield(self._next)

    def _start(self) -> None:
        self._running = True
        task = asyncio.get_running_loop().create_task(self._run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        while self._next is not None:
            waiting, self._next = self._next, None
            try:
                value = await self._read()
            except BaseException as error:  # each waiter raises it; the next reader tries afresh
                waiting.set_exception(error)
                waiting.exception()
            else:
                waiting.set_result(value)
        self._running = False
