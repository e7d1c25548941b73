"""This process as a verifier node: tells what it has applied on each change, and that it lives (keys.md §7)."""

from __future__ import annotations

import asyncio

from clawscope.infra.telemetry.logs import get_logger
from clawscope.issuer.adapters.current_view import CurrentView
from clawscope.issuer.usecases.keys.acknowledge import Acknowledge
from clawscope.kernel.errors import Refusal

# Changes within this time are told together, so that a burst of revocations is not a burst of reports.
_GATHER_S = 0.05
_KIND = "issuer"
_log = get_logger("keys")


class OwnNode:
    """Reports for the life of the process."""

    def __init__(self, node_id: str, acknowledge: Acknowledge, view: CurrentView) -> None:
        self._node_id = node_id
        self._acknowledge = acknowledge
        self._view = view
        self._told = -1
        self._soon: asyncio.Task[None] | None = None
        view.on_change(self._changed)

    async def report(self, *, leaving: bool = False) -> None:
        """Tell the last sequence applied here."""
        self._told = self._view.revocations.sequence
        try:
            await self._acknowledge(f"process:{self._node_id}", self._node_id, _KIND, self._told, leaving=leaving)
        except Refusal as refusal:
            _log.warning("own node not reported", code=refusal.code.name)

    async def leave(self) -> None:
        """Leave in good order: later rows do not wait for this process."""
        if self._soon is not None:
            await asyncio.wait([self._soon])
        await self.report(leaving=True)

    def _changed(self) -> None:
        if self._soon is None or self._soon.done():
            self._soon = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        # What is applied while a report is under way is told by the next one, not by the next heartbeat.
        while self._told < self._view.revocations.sequence:
            await asyncio.sleep(_GATHER_S)
            await self.report()
