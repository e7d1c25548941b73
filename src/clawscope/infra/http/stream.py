"""Sending an answer piece by piece until it ends or the client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any


async def send_pieces(send: Any, receive: Any, pieces: AsyncIterator[bytes]) -> None:
    """Send every piece; stop at once, closing the source, when the client disconnects."""
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        while True:
            following = asyncio.ensure_future(_following(pieces))
            await asyncio.wait({following, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                await asyncio.wait({following})
                return
            piece = following.result()
            await send({"type": "http.response.body", "body": piece or b"", "more_body": piece is not None})
            if piece is None:
                return
    finally:
        gone.cancel()
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


async def _following(pieces: AsyncIterator[bytes]) -> bytes | None:
    try:
        return await anext(pieces)
    except StopAsyncIteration:
        return None


async def _until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
