"""One transaction as the functions of a batch see it: writes gathered, reads shared, sequences in commit order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast

from sqlalchemy import ClauseElement, Connection, Row, Table, bindparam, select, update
from sqlalchemy.sql import visitors
from sqlalchemy.sql.base import Executable

from clawscope.infra.db.schema import sequences

Work = TypeVar("Work")

# A no-op update takes the row's lock on PostgreSQL and is a plain read under SQLite's single writer.
_TAKE = update(sequences).where(sequences.c.name == bindparam("n")).values(value=sequences.c.value).returning(sequences.c.value)
_KEEP = update(sequences).where(sequences.c.name == bindparam("n")).values(value=bindparam("v"))
_HEAD = select(sequences.c.value).where(sequences.c.name == bindparam("n"))


@lru_cache(maxsize=512)
def _tables_of(statement: Executable) -> frozenset[str]:
    return frozenset(element.name for element in visitors.iterate(cast(ClauseElement, statement)) if isinstance(element, Table))


class Tx:
    """A transaction shared by the functions of one batch.

    `add` gathers rows and writes them in one go before the first read that touches their table, or at the end; `once` answers a
    read from memory while nothing in the transaction wrote to its tables. Statements are module constants with bound parameters.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._works: dict[Any, Any] = {}
        self.forget()

    def forget(self) -> None:
        """Drop all that is gathered or remembered: after a rollback, whole or to a savepoint."""
        self._pending: dict[Table, list[dict[str, Any]]] = {}
        self._taken: dict[str, int] = {}
        self._kept: dict[str, int] = {}
        self._memory: dict[tuple[Any, ...], list[Row[Any]]] = {}
        self._after: list[Callable[[], None]] = []

    def work(self, make: Callable[[Tx], Work]) -> Work:
        """The unit of work of one slice on this transaction, made once."""
        made = self._works.get(make)
        if made is None:
            made = self._works[make] = make(self)
        return made

    def add(self, table: Table, row: dict[str, Any]) -> None:
        """Insert a row, at the latest at the end of the batch. Rows of one table name the same columns."""
        self._pending.setdefault(table, []).append(row)

    def rows(self, statement: Executable, **parameters: Any) -> list[Row[Any]]:
        """All rows of a read."""
        self._write_pending(_tables_of(statement))
        return list(self._connection.execute(statement, parameters).all())

    def first(self, statement: Executable, **parameters: Any) -> Row[Any] | None:
        """The first row of a read, if any."""
        found = self.rows(statement, **parameters)
        return found[0] if found else None

    def once(self, statement: Executable, **parameters: Any) -> list[Row[Any]]:
        """All rows of a read whose answer cannot change within this transaction, read once for the whole batch."""
        key = (statement, *parameters.items())
        found = self._memory.get(key)
        if found is None:
            found = self._memory[key] = self.rows(statement, **parameters)
        return found

    def change(self, statement: Executable, **parameters: Any) -> int:
        """Run an INSERT, UPDATE or DELETE now and count its rows."""
        self._write_pending(_tables_of(statement))
        self._memory.clear()
        return int(self._connection.execute(statement, parameters).rowcount)

    def changed(self) -> None:
        """Forget what `once` remembers: something it read was written by `add`."""
        self._memory.clear()

    def take(self, name: str) -> int:
        """Lock a sequence until the commit and tell its last number."""
        value = self._taken.get(name)
        if value is None:
            row = self._connection.execute(_TAKE, {"n": name}).first()
            if row is None:
                raise LookupError(f"no sequence {name}: the schema is not migrated")
            value = self._taken[name] = self._kept[name] = int(row[0])
        return value

    def next(self, name: str) -> int:
        """The next number of a sequence. Numbers follow the order of commits and have no gaps."""
        value = self._taken[name] = self.take(name) + 1
        return value

    def head(self, name: str) -> int:
        """The last committed (or own) number of a sequence, without locking it."""
        value = self._taken.get(name)
        return value if value is not None else int(self.once(_HEAD, n=name)[0][0])

    def after_commit(self, ring: Callable[[], None]) -> None:
        """Call `ring` once this transaction is durable; however often it was asked for, once."""
        if ring not in self._after:
            self._after.append(ring)

    def flush(self) -> None:
        """Write everything gathered, then the sequences."""
        self._write_pending(None)
        for name, value in self._taken.items():
            if self._kept[name] != value:
                self._connection.execute(_KEEP, {"n": name, "v": value})
                self._kept[name] = value

    def rings(self) -> list[Callable[[], None]]:
        """What to call after the commit."""
        return self._after

    def _write_pending(self, touched: frozenset[str] | None) -> None:
        if not self._pending:
            return
        for table in [t for t in self._pending if touched is None or t.name in touched]:
            self._connection.execute(table.insert(), self._pending.pop(table))


Parameters = Mapping[str, Any]
