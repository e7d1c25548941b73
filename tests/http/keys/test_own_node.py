"""The issuer's own process tells of every change it has applied, also of one that comes while it is telling (keys.md §7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from clawscope.issuer.adapters.own_node import OwnNode
from clawscope.protocol.revocation import RevocationView, TokenRevoked

_SOON_S = 1


class MemoryView:
    """A view that rows are put into by hand."""

    def __init__(self) -> None:
        self.revocations = RevocationView()
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """See `CurrentView.on_change`."""
        self._listeners.append(listener)

    def apply(self) -> None:
        """One more row."""
        sequence = self.revocations.sequence + 1
        self.revocations.apply(TokenRevoked(sequence=sequence, jti=None, token_hash=f"{sequence:064x}", exp=2**40, revoked_at=1))
        for listener in self._listeners:
            listener()


class Told:
    """Where reports go; a report takes as long as the test wants."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self._more = asyncio.Event()

    async def __call__(self, _credential: str, _node: str, _kind: str, sequence: int, **_: Any) -> None:
        """Take a report."""
        self.begun.set()
        await self.may_end.wait()
        self.sequences.append(sequence)
        self._more.set()

    async def hears(self, sequence: int) -> None:
        """Return once a sequence was told."""
        async with asyncio.timeout(_SOON_S):
            while sequence not in self.sequences:
                self._more.clear()
                await self._more.wait()


def test_a_change_during_a_report_is_told_at_once_afterwards() -> None:
    async def scenario() -> None:
        view, told = MemoryView(), Told()
        OwnNode("issuer-1", told, view)
        view.apply()
        await told.begun.wait()
        view.apply()
        told.may_end.set()
        await told.hears(2)

    asyncio.run(scenario())


def test_a_burst_of_changes_is_told_together() -> None:
    async def scenario() -> None:
        view, told = MemoryView(), Told()
        told.may_end.set()
        OwnNode("issuer-1", told, view)
        for _ in range(50):
            view.apply()
        await told.hears(50)
        assert len(told.sequences) == 1

    asyncio.run(scenario())


def test_leaving_tells_the_last_sequence() -> None:
    async def scenario() -> None:
        view, told = MemoryView(), Told()
        told.may_end.set()
        node = OwnNode("issuer-1", told, view)
        view.apply()
        await node.leave()
        assert told.sequences[-1] == 1

    asyncio.run(scenario())
