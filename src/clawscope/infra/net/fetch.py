"""A GET with a bounded time and a bounded answer."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from yarl import URL

MOST_BYTES = 256 * 1024


class Unreachable(Exception):
    """The other side did not answer in time, or not in HTTP."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: its status and its bytes; `whole` is false when there were more than the bound."""

    status: int
    raw: bytes
    whole: bool


class Fetcher:
    """One connection pool for one neighbour."""

    def __init__(self, timeout_ms: int, most_bytes: int = MOST_BYTES) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        self._most_bytes = most_bytes
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str) -> Fetched:
        """Fetch an already percent-encoded URL; a redirect is an answer like any other. Raises `Unreachable`."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.get(URL(url, encoded=True), allow_redirects=False) as answer:
                raw = await self._read(answer.content)
                return Fetched(answer.status, raw[: self._most_bytes], len(raw) <= self._most_bytes)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise Unreachable(type(error).__name__) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in content.iter_any():
            parts.append(part)
            size += len(part)
            if size > self._most_bytes:
                break
        return b"".join(parts)
