"""Events in the transaction of the fact, and the relay that delivers them at least once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from sqlalchemy import bindparam, delete, select, update

from clawscope.infra.db.database import Database
from clawscope.infra.db.schema import outbox, outbox_cursors
from clawscope.infra.db.tx import Tx
from clawscope.kernel.events import Event

Handler = Callable[[Event], Awaitable[None]]

_AFTER = select(outbox).where(outbox.c.position > bindparam("position")).order_by(outbox.c.position).limit(bindparam("most"))
_CURSOR = select(outbox_cursors.c.position).where(outbox_cursors.c.handler == bindparam("h"))
_MOVE = update(outbox_cursors).where(outbox_cursors.c.handler == bindparam("h")).values(position=bindparam("p"))
_TRIM = delete(outbox).where(outbox.c.position <= bindparam("p"), outbox.c.at < bindparam("before"))
_BATCH = 500
_encode = msgspec.json.Encoder().encode


class Outbox:
    """Where use cases put events; they become visible with the commit."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def put(self, event: Event) -> None:
        """Write an event in this transaction."""
        row = {"event_id": event.event_id, "name": event.name, "at": event.at, "data": _encode(event.data).decode()}
        self._tx.add(outbox, {"position": self._tx.next("outbox"), **row})


class Relay:
    """Delivers events to each handler in order, at least once; a handler is idempotent by event id."""

    def __init__(self, database: Database, handlers: Mapping[str, Handler]) -> None:
        self._database = database
        self._handlers = handlers

    async def run_once(self) -> int:
        """Deliver what is new to every handler; returns how many deliveries were made."""
        delivered = 0
        for name, handler in self._handlers.items():
            while count := await self._deliver(name, handler):
                delivered += count
        return delivered

    async def trim(self, before: int) -> int:
        """Drop delivered events older than `before` (epoch seconds): the facts stay in their own tables."""

        def cut(tx: Tx) -> int:
            cursors = [tx.first(_CURSOR, h=name) for name in self._handlers]
            delivered = min((cursor[0] if cursor else 0 for cursor in cursors), default=tx.head("outbox"))
            return tx.change(_TRIM, p=delivered, before=before)

        return await self._database.transact(cut)

    async def _deliver(self, name: str, handler: Handler) -> int:
        def waiting(tx: Tx) -> list[tuple[int, Event]]:
            cursor = tx.first(_CURSOR, h=name)
            rows = tx.rows(_AFTER, position=cursor[0] if cursor else 0, most=_BATCH)
            return [(row.position, Event(row.event_id, row.name, row.at, msgspec.json.decode(row.data))) for row in rows]

        found = await self._database.read(waiting)
        for _, event in found:
            await handler(event)
        if found:
            await self._database.transact(lambda tx: _advance(tx, name, found[-1][0]))
        return len(found)


def _advance(tx: Tx, handler: str, position: int) -> None:
    if tx.change(_MOVE, h=handler, p=position) == 0:
        tx.add(outbox_cursors, {"handler": handler, "position": position})
