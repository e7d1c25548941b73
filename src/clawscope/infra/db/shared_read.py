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
        self._waiting: list[asyncio.Future[Value]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self) -> Value:
        """The value, by a read begun after this call."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[Value] = loop.create_future()
        self._waiting.append(mine)
        if self._running is None:
            self._running = loop.create_task(self._run())
        return await mine

    async def _run(self) -> None:
        while self._waiting:
            served, self._waiting = self._waiting, []
            try:
                value = await self._read()
            except BaseException as error:  # each waiter raises it; the next reader tries afresh
                for one in served:
                    if not one.done():
                        one.set_exception(error)
            else:
                for one in served:
                    if not one.done():
                        one.set_result(value)
        self._running = None
