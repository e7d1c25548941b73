"""What a database offers the slices, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Select

from clawscope.infra.db.tx import Tx

Value = TypeVar("Value")


class Database(Protocol):
    """A store with durable commits. Every method raises `STORE_UNAVAILABLE` or `STORE_FULL` when it cannot do its work."""

    async def transact(self, function: Callable[[Tx], Value]) -> Value:
        """Run a plain function in a transaction and answer after its durable commit. The function may be run again."""
        ...

    async def read(self, function: Callable[[Tx], Value]) -> Value:
        """Run a plain function that only reads, on one consistent view."""
        ...

    async def look(self, function: Callable[[Tx], Value]) -> Value:
        """Run a plain function that reads a row or two by key, on the shortest way."""
        ...

    async def glance(self, statement: Select[Any]) -> Sequence[Any] | None:
        """The first row of a tiny read begun after this call, shared by all who ask before it begins."""
        ...

    async def close(self) -> None:
        """Finish what waits, then close."""
        ...


class Transactor:
    """A database seen through one slice's unit of work."""

    def __init__(self, database: Database, make: Callable[[Tx], Any]) -> None:
        self._database = database
        self._make = make

    async def transact(self, function: Callable[[Any], Value]) -> Value:
        """Run `function(work)` in a transaction; leaving quietly commits, raising rolls back."""
        return await self._database.transact(lambda tx: function(tx.work(self._make)))

    async def read(self, function: Callable[[Any], Value]) -> Value:
        """Run `function(work)` on one consistent view without writing."""
        return await self._database.read(lambda tx: function(tx.work(self._make)))

    async def look(self, function: Callable[[Any], Value]) -> Value:
        """Run `function(work)` that reads a row or two by key."""
        return await self._database.look(lambda tx: function(tx.work(self._make)))
