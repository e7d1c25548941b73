"""PostgreSQL: the same plain functions, batched on one connection per process and run through asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from clawscope.infra.db.batch import Function, Outcome, Ran, run_apart, run_together
from clawscope.infra.db.errors import is_retryable, meaning
from clawscope.infra.db.shared_read import SharedRead
from clawscope.infra.db.tx import Tx
from clawscope.kernel.clock import monotonic_us
from clawscope.kernel.codes import STORE_UNAVAILABLE

Value = TypeVar("Value")

_MOST_WAITING = 4096
_MOST_IN_BATCH = 128
_TRIES = 3
_SERVER_SETTINGS = {
    "application_name": "clawscope",
    "synchronous_commit": "on",
    "lock_timeout": "10000",
    "statement_timeout": "30000",
    "idle_in_transaction_session_timeout": "60000",
}


def postgres_engine(url: str) -> AsyncEngine:
    """An engine for a `postgresql://` URL: durable commits, bounded waits for locks and statements."""
    address = url.replace("postgresql://", "postgresql+asyncpg://", 1)
    return create_async_engine(
        address,
        pool_size=8,
        max_overflow=4,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"server_settings": _SERVER_SETTINGS, "timeout": 10},
    )


class PostgresDatabase:
    """`Database` on PostgreSQL. One batch at a time per process; while it commits, the next gathers."""

    def __init__(self, url: str, *, observe_batch: Callable[[int, float], None] = lambda size, seconds: None) -> None:
        self._engine = postgres_engine(url)
        self._observe_batch = observe_batch
        self._waiting: list[tuple[Function, asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._glances: dict[Select[Any], SharedRead[Sequence[Any] | None]] = {}
        self._glancer: AsyncConnection | None = None

    async def transact(self, function: Callable[[Tx], Value]) -> Value:
        """See `Database.transact`."""
        if len(self._waiting) >= _MOST_WAITING:
            raise STORE_UNAVAILABLE("too many writes are waiting; retry in a second")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((function, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_all())
        value: Value = await future
        return value

    async def read(self, function: Callable[[Tx], Value]) -> Value:
        """See `Database.read`."""
        try:
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with connection.begin():
                    return await connection.run_sync(lambda sync: function(Tx(sync)))
        except Exception as error:
            raise meaning(error) from error

    async def look(self, function: Callable[[Tx], Value]) -> Value:
        """See `Database.look`."""
        return await self.read(function)

    async def glance(self, statement: Select[Any]) -> Sequence[Any] | None:
        """See `Database.glance`."""
        shared = self._glances.get(statement)
        if shared is None:
            shared = self._glances[statement] = SharedRead(lambda: self._look(statement))
        return await shared()

    async def close(self) -> None:
        """See `Database.close`."""
        if self._writer is not None:
            await asyncio.wait([self._writer], timeout=30)
        if self._glancer is not None:
            await self._glancer.close()
        await self._engine.dispose()

    async def _look(self, statement: Select[Any]) -> Sequence[Any] | None:
        try:
            if self._glancer is None:
                plain = await self._engine.connect()
                self._glancer = await plain.execution_options(isolation_level="AUTOCOMMIT")
            found: Sequence[Any] | None = (await self._glancer.execute(statement)).first()
            return found
        except Exception as error:
            broken, self._glancer = self._glancer, None
            if broken is not None:
                await broken.invalidate()
                await broken.close()
            raise meaning(error) from error

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST_IN_BATCH], self._waiting[_MOST_IN_BATCH:]
            began = monotonic_us()
            ran = await self._commit([function for function, _ in batch])
            self._observe_batch(len(batch), (monotonic_us() - began) / 1e6)
            for ring in ran.rings:
                ring()
            for (_, future), outcome in zip(batch, ran.outcomes, strict=True):
                if future.cancelled():
                    continue
                if outcome.error is not None:
                    future.set_exception(outcome.error)
                    future.exception()
                else:
                    future.set_result(outcome.value)

    async def _commit(self, functions: list[Function]) -> Ran:
        last: BaseException = RuntimeError("never tried")
        for _ in range(_TRIES):
            try:
                async with self._engine.connect() as connection:
                    return await self._run(connection, functions)
            except Exception as error:
                last = error
                if not is_retryable(error):
                    break
        return Ran([Outcome(error=meaning(last)) for _ in functions], [])

    async def _run(self, connection: AsyncConnection, functions: list[Function]) -> Ran:
        try:
            return await connection.run_sync(run_together, functions, queue=True)
        except Exception as error:
            if is_retryable(error):
                raise
            if len(functions) == 1:
                return Ran([Outcome(error=meaning(error))], [])
        return await connection.run_sync(run_apart, functions, queue=True)
