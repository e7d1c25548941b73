"""A bell over Valkey or Redis publish/subscribe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import redis.asyncio as redis
from redis.exceptions import RedisError

from clawscope.infra.telemetry.logs import get_logger

_CHANNEL = "clawscope:bell"
_RETRY_S = 1.0
_log = get_logger("bell")
Heard = Callable[[], Awaitable[object]]


class ValkeyBell:
    """Rings after commits and listens for other processes' rings. A lost connection is retried; meanwhile polling carries on."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=None, socket_connect_timeout=5)
        self._tasks: set[asyncio.Task[None]] = set()
        self.listening = False

    def ring(self) -> None:
        """Tell the others; never waits and never fails."""
        self._keep(self._publish())

    def listen(self, heard: Heard) -> None:
        """Call `heard` on every ring."""
        self._keep(self._listen(heard))

    async def close(self) -> None:
        """Stop listening and disconnect."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _keep(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self) -> None:
        try:
            await self._client.publish(_CHANNEL, b"1")
        except (RedisError, OSError):
            _log.warning("bell not rung")

    async def _listen(self, heard: Heard) -> None:
        while True:
            try:
                async with self._client.pubsub() as channel:
                    await channel.subscribe(_CHANNEL)
                    self.listening = True
                    async for message in channel.listen():
                        if message["type"] == "message":
                            await heard()
            except (RedisError, OSError):
                _log.warning("bell lost")
            finally:
                self.listening = False
            await asyncio.sleep(_RETRY_S)
