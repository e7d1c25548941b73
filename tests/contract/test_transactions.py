"""Transactions of plain functions keep the same promises on SQLite and on PostgreSQL (DESIGN.md §2, storage)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, select

from clawscope.infra.db.database import Database
from clawscope.infra.db.open import open_database
from clawscope.infra.db.schema import job_leases
from clawscope.infra.db.tx import Tx
from clawscope.kernel.errors import Refusal
from tests.contract.conftest import DatabaseUnderTest

LEASES = select(job_leases.c.name).order_by(job_leases.c.name)
Scenario = Callable[[Database, Database], Awaitable[None]]


def put(name: str, *, fails: bool = False) -> Callable[[Tx], int]:
    """Writes a row and takes a number; may fail after both."""

    def run(tx: Tx) -> int:
        number = tx.next("writer")
        tx.add(job_leases, {"name": name, "holder": str(number), "expires_at": number})
        if fails:
            raise LookupError(name)
        return number

    return run


def names(tx: Tx) -> list[str]:
    """The rows there are."""
    return [row[0] for row in tx.rows(LEASES)]


def with_two(under_test: DatabaseUnderTest, scenario: Scenario) -> None:
    """Run with two databases objects on one file or server, as two processes have them."""

    async def main(first: Database) -> None:
        second = open_database(under_test.url)
        try:
            await scenario(first, second)
        finally:
            await second.close()

    under_test.run(main)


def test_a_failing_function_fails_alone(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        tasks = [store.transact(put(f"n{turn:02}", fails=turn % 5 == 2)) for turn in range(30)]
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [at for at, one in enumerate(answers) if isinstance(one, LookupError)]
        assert failed == list(range(2, 30, 5))
        assert [one for one in answers if isinstance(one, int)] == list(range(1, 25))
        assert await store.read(names) == [f"n{turn:02}" for turn in range(30) if turn % 5 != 2]

    database.run(scenario)


def test_a_row_refused_by_the_database_fails_alone(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        await store.transact(put("taken"))
        answers = await asyncio.gather(*(store.transact(put(name)) for name in ("a", "taken", "b", "taken", "c")), return_exceptions=True)
        refused = [one.code.name for one in answers if isinstance(one, Refusal)]
        assert refused == ["STORE_UNAVAILABLE"] * 2
        assert [one for one in answers if isinstance(one, int)] == [2, 3, 4]
        assert await store.read(names) == ["a", "b", "c", "taken"]

    database.run(scenario)


def test_a_function_that_writes_twice_what_is_unique_leaves_nothing(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        def twice(tx: Tx) -> None:
            put("x")(tx)
            put("x")(tx)

        with pytest.raises(Refusal, match="STORE_UNAVAILABLE"):
            await store.transact(twice)
        assert await store.read(names) == []
        assert await store.transact(put("y")) == 1

    database.run(scenario)


def test_a_function_sees_its_own_rows_and_its_own_numbers(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        def look(tx: Tx) -> list[Any]:
            put("x")(tx)
            return [names(tx), tx.head("writer"), tx.take("writer"), tx.next("writer")]

        assert await store.transact(look) == [["x"], 1, 1, 2]
        assert await store.read(lambda tx: tx.head("writer")) == 2

    database.run(scenario)


def test_once_is_never_old_after_a_write_in_the_same_batch(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        def once(tx: Tx) -> list[str]:
            return [row[0] for row in tx.once(LEASES)]

        def add(name: str) -> Callable[[Tx], None]:
            def run(tx: Tx) -> None:
                put(name)(tx)
                tx.changed()

            return run

        def clear(tx: Tx) -> int:
            return tx.change(delete(job_leases))

        answers = await asyncio.gather(*(store.transact(one) for one in (once, add("a"), once, clear, once, add("b"), once)))
        assert [answers[at] for at in (0, 2, 4, 6)] == [[], ["a"], [], ["b"]]

    database.run(scenario)


def test_once_remembers_nothing_of_a_function_that_failed(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        def once(tx: Tx) -> list[str]:
            return [row[0] for row in tx.once(LEASES)]

        def fail(tx: Tx) -> None:
            put("gone")(tx)
            tx.changed()
            assert once(tx) == ["gone"]
            raise LookupError

        answers = await asyncio.gather(*(store.transact(one) for one in (once, fail, once)), return_exceptions=True)
        assert (answers[0], answers[2]) == ([], [])

    database.run(scenario)


def test_two_processes_number_their_rows_in_one_sequence(database: DatabaseUnderTest) -> None:
    async def scenario(first: Database, second: Database) -> None:
        tasks = [(first, second)[turn % 2].transact(put(f"n{turn:03}", fails=turn % 7 == 3)) for turn in range(120)]
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        numbers = [one for one in answers if isinstance(one, int)]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
        assert len(numbers) == 120 - len(range(3, 120, 7))
        assert all(isinstance(one, int | LookupError) for one in answers)
        assert await second.read(names) == await first.read(names)

    with_two(database, scenario)


def test_what_one_process_committed_the_other_sees_at_once(database: DatabaseUnderTest) -> None:
    async def scenario(first: Database, second: Database) -> None:
        for turn in range(10):
            one, other = (first, second) if turn % 2 else (second, first)
            await one.transact(put(f"n{turn}"))
            assert f"n{turn}" in await other.read(names)
            row = await other.glance(LEASES.limit(1))
            assert row is not None
            assert row[0] == "n0"

    with_two(database, scenario)


def test_a_read_is_of_one_moment(database: DatabaseUnderTest) -> None:
    async def scenario(first: Database, second: Database) -> None:
        loop = asyncio.get_running_loop()
        await first.transact(put("a"))
        between = asyncio.Event()
        committed = asyncio.Event()
        held = threading.Event()

        def look(tx: Tx) -> tuple[list[str], int, list[str], int]:
            before = (names(tx), tx.first(select(job_leases.c.expires_at).where(job_leases.c.name == "a"))[0])
            loop.call_soon_threadsafe(between.set)
            held.wait(10)
            return (*before, names(tx), tx.head("writer"))

        async def write() -> None:
            await between.wait()
            await second.transact(put("b"))
            committed.set()
            held.set()

        if database.kind == "postgres":
            # There a reading function runs in the event loop's own thread; the other process writes between its statements.
            await _read_of_one_moment_on_postgres(first, second)
            return
        reading, _ = await asyncio.gather(first.read(look), write())
        assert committed.is_set()
        assert reading == (["a"], 1, ["a"], 1)
        assert await first.read(names) == ["a", "b"]

    with_two(database, scenario)


async def _read_of_one_moment_on_postgres(first: Database, second: Database) -> None:
    """Readers count the same rows twice while another process keeps writing."""

    def twice(tx: Tx) -> tuple[int, int, int]:
        seen = len(names(tx))
        return seen, len(names(tx)), tx.head("writer")

    async def write() -> None:
        for turn in range(40):
            await second.transact(put(f"w{turn:02}"))

    readings = await asyncio.gather(write(), *(first.read(twice) for _ in range(40)))
    for reading in readings[1:]:
        assert reading is not None
        assert reading[0] == reading[1] == reading[2]


def test_a_reader_cannot_write(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        with pytest.raises(Refusal, match="STORE_UNAVAILABLE"):
            await store.read(lambda tx: tx.change(delete(job_leases)))

    database.run(scenario)


def test_bells_ring_once_a_batch_after_the_commit_and_not_for_what_failed(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        rung: list[str] = []

        def good() -> None:
            rung.append("good")

        def bad() -> None:
            rung.append("bad")

        def ringing(ring: Callable[[], None], name: str, *, fails: bool = False) -> Callable[[Tx], int]:
            def run(tx: Tx) -> int:
                tx.after_commit(ring)
                return put(name, fails=fails)(tx)

            return run

        await store.transact(ringing(good, "a"))
        assert rung == ["good"]
        with pytest.raises(LookupError):
            await store.transact(ringing(bad, "b", fails=True))
        assert rung == ["good"]
        await asyncio.gather(*(store.transact(ringing(good, f"c{turn}")) for turn in range(20)))
        assert set(rung) == {"good"}
        assert 2 <= len(rung) <= 21

    database.run(scenario)


def test_a_caller_that_goes_away_leaves_the_store_whole(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        tasks = [asyncio.ensure_future(store.transact(put(f"n{turn:02}"))) for turn in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        number = await store.transact(put("last"))
        assert len(await store.read(names)) == number

    database.run(scenario)


def test_everything_asked_before_closing_is_done(database: DatabaseUnderTest) -> None:
    async def fill(store: Database) -> None:
        waiting = [asyncio.ensure_future(store.transact(put(f"n{turn}"))) for turn in range(5)]
        await asyncio.sleep(0)
        await asyncio.gather(*waiting)

    async def look(store: Database) -> None:
        assert len(await store.read(names)) == 5

    database.run(fill)
    database.run(look)
