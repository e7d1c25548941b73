"""SQLite: one writer thread that commits all waiting functions together, and pooled readers."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pysqlite3
from sqlalchemy import Connection, Engine, Select, create_engine, event

from clawscope.infra.db.batch import Function, Outcome, Ran, run_apart, run_together
from clawscope.infra.db.errors import meaning
from clawscope.infra.db.tx import Tx
from clawscope.kernel.clock import monotonic_us
from clawscope.kernel.codes import STORE_UNAVAILABLE
from clawscope.kernel.errors import Refusal

Value = TypeVar("Value")

# The WAL-reset corruption bug is fixed from here on; older libraries may not share a file between processes.
SAFE_FOR_PROCESSES = (3, 51, 3)
_MOST_WAITING = 4096
_MOST_IN_BATCH = 256
_READERS = 4
_BUSY_TIMEOUT_MS = 5000


def safe_for_processes() -> bool:
    """Whether the linked SQLite may be used by several processes on one file."""
    return tuple(int(part) for part in pysqlite3.sqlite_version.split(".")) >= SAFE_FOR_PROCESSES


def sqlite_engine(path: Path, *, reader: bool = False) -> Engine:
    """An engine on a database file: WAL, `synchronous=FULL`, `BEGIN IMMEDIATE` for writers."""
    engine = create_engine(
        f"sqlite:///{path}",
        module=pysqlite3,
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": _BUSY_TIMEOUT_MS / 1000, "cached_statements": 256},
        pool_size=_READERS if reader else 1,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        pragmas = ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_BUSY_TIMEOUT_MS}", "foreign_keys=ON", "cache_size=-65536")
        for pragma in (*pragmas, *(("query_only=ON",) if reader else ())):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if reader else "BEGIN IMMEDIATE")

    return engine


class _Waiting:
    """A function that waits for the writer, and whom to tell."""

    __slots__ = ("function", "future", "loop")

    def __init__(self, function: Function) -> None:
        self.function = function
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()


class SqliteDatabase:
    """`Database` on one SQLite file. Groups commits: while one fsync runs, the next batch gathers."""

    def __init__(self, path: Path, *, observe_batch: Callable[[int, float], None] = lambda size, seconds: None) -> None:
        self._writer_engine = sqlite_engine(path)
        self._reader_engine = sqlite_engine(path, reader=True)
        self._observe_batch = observe_batch
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(_MOST_WAITING)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="db-reader")
        self._glances: dict[Select[Any], str] = {}
        self._asking: dict[str, list[asyncio.Future[Sequence[Any] | None]]] = {}
        self._glancer: Any = None
        self._closed = False
        self._writer = threading.Thread(target=self._write_all, name="db-writer", daemon=True)
        self._writer.start()

    async def transact(self, function: Callable[[Tx], Value]) -> Value:
        """See `Database.transact`."""
        waiting = _Waiting(function)
        if self._closed:
            raise STORE_UNAVAILABLE("the server is stopping")
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            raise STORE_UNAVAILABLE("too many writes are waiting; retry in a second") from None
        # A caller that goes away cancels only its future: the writer commits all the same and answers nobody.
        value: Value = await waiting.future
        return value

    async def read(self, function: Callable[[Tx], Value]) -> Value:
        """See `Database.read`."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, function)

    async def look(self, function: Callable[[Tx], Value]) -> Value:
        """See `Database.look`. In the event loop itself: handing the interpreter to a thread and back takes longer than the read."""
        return self._read(function)

    async def glance(self, statement: Select[Any]) -> Sequence[Any] | None:
        """See `Database.glance`. Read in the event loop itself: a WAL reader never waits, a hop to a thread would cost more."""
        text = self._glances.get(statement)
        if text is None:
            text = self._glances[statement] = str(statement.compile(self._reader_engine, compile_kwargs={"literal_binds": True}))
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[Sequence[Any] | None] = loop.create_future()
        asking = self._asking.get(text)
        if asking is None:
            # All who ask before the loop comes round share one read, begun after each of them asked.
            self._asking[text] = [mine]
            loop.call_soon(self._tell_all, text)
        else:
            asking.append(mine)
        return await mine

    async def close(self) -> None:
        """See `Database.close`."""
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown(wait=True)
        if self._glancer is not None:
            self._glancer.close()
        self._writer_engine.dispose()
        self._reader_engine.dispose()

    def _tell_all(self, text: str) -> None:
        asking = self._asking.pop(text)
        try:
            found = self._look(text)
        except Refusal as refusal:
            for one in asking:
                if not one.done():
                    one.set_exception(refusal)
            return
        for one in asking:
            if not one.done():
                one.set_result(found)

    def _look(self, text: str) -> Sequence[Any] | None:
        # The driver's own connection: outside a transaction each statement sees the newest commit.
        try:
            if self._glancer is None:
                self._glancer = self._reader_engine.raw_connection()
            found: Sequence[Any] | None = self._glancer.execute(text).fetchone()
        except pysqlite3.Error as error:
            self._glancer = None
            raise STORE_UNAVAILABLE("retry in a second") from error
        return found

    def _read(self, function: Callable[[Tx], Value]) -> Value:
        try:
            with self._reader_engine.connect() as connection, connection.begin():
                return function(Tx(connection))
        except Exception as error:
            raise meaning(error) from error

    def _write_all(self) -> None:
        while True:
            batch = self._gather()
            if not batch:
                return
            began = monotonic_us()
            ran = self._commit([waiting.function for waiting in batch])
            self._observe_batch(len(batch), (monotonic_us() - began) / 1e6)
            self._answer(batch, ran)

    def _gather(self) -> list[_Waiting]:
        first = self._queue.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < _MOST_IN_BATCH:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                break
            if waiting is None:
                self._queue.put(None)
                break
            batch.append(waiting)
        return batch

    def _commit(self, functions: list[Function]) -> Ran:
        try:
            with self._writer_engine.connect() as connection:
                try:
                    return run_together(connection, functions)
                except Exception as error:
                    if len(functions) == 1:
                        return Ran([Outcome(error=meaning(error))], [])
                return run_apart(connection, functions)
        except Exception as error:
            return Ran([Outcome(error=meaning(error)) for _ in functions], [])

    def _answer(self, batch: list[_Waiting], ran: Ran) -> None:
        def tell() -> None:
            for ring in ran.rings:
                ring()
            for waiting, outcome in zip(batch, ran.outcomes, strict=True):
                if waiting.future.cancelled():
                    continue
                if outcome.error is not None:
                    waiting.future.set_exception(outcome.error)
                    waiting.future.exception()
                else:
                    waiting.future.set_result(outcome.value)

        try:
            batch[0].loop.call_soon_threadsafe(tell)
        except RuntimeError:
            return  # the loop is gone: nobody waits for these answers any more
