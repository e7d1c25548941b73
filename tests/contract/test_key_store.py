"""Key rows and the key log keep the same promises in memory, on SQLite and on PostgreSQL (keys.md §1, §6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from clawscope.infra.db.open import open_database
from clawscope.infra.db.postgres import postgres_engine
from clawscope.infra.db.tx import Tx
from clawscope.issuer.adapters.key_store import SqlKeys
from clawscope.issuer.adapters.store import issuer_store
from clawscope.issuer.domain.keyring import ACTIVE, PREPARED, RETIRED, REVOKED, VERIFY_ONLY, KeyRecord
from clawscope.kernel.clock import ManualClock
from tests.contract.conftest import NOW, DatabaseUnderTest, Run


def key(number: int, state: str = PREPARED, **changes: Any) -> KeyRecord:
    values: dict[str, Any] = {
        "kid": f"k{number}",
        "purpose": "token",
        "state": state,
        "public": bytes([number]) * 32,
        "source": "managed",
        "position": number,
        "sealed": b"\x01sealed\x00",
        "created_at": NOW,
        "published_at": NOW,
        "activatable_at": NOW + 600,
        "activated_at": None,
        "not_after_unix": None,
        "delay_waived": False,
        "auto_activate": True,
        "reason": "a reason",
    }
    return KeyRecord(**(values | changes))


def test_a_key_reads_back_as_it_was_written(run: Run) -> None:
    record = key(1, VERIFY_ONLY, not_after_unix=NOW + 5, sealed=None, activated_at=NOW - 1, delay_waived=True)

    async def scenario(store: Any) -> None:
        await store.transact(lambda work: work.keys.add(record))
        assert await store.read(lambda work: work.keys.get("k1")) == record
        assert await store.read(lambda work: work.keys.get("k2")) is None
        assert await store.read(lambda work: work.keys.all()) == [record]

    run(scenario)


def test_keys_are_listed_by_position(run: Run) -> None:
    async def scenario(store: Any) -> None:
        for number in (3, 1, 2):
            await store.transact(lambda work, number=number: work.keys.add(key(number)))
        assert [record.kid for record in await store.read(lambda work: work.keys.all())] == ["k1", "k2", "k3"]

    run(scenario)


def test_a_move_changes_state_and_columns_and_only_from_the_expected_state(run: Run) -> None:
    async def scenario(store: Any) -> None:
        await store.transact(lambda work: work.keys.add(key(1)))
        assert await store.transact(lambda work: work.keys.move("k1", PREPARED, ACTIVE, activated_at=NOW, auto_activate=False))
        assert not await store.transact(lambda work: work.keys.move("k1", PREPARED, RETIRED))
        assert not await store.transact(lambda work: work.keys.move("k9", PREPARED, RETIRED))
        record = await store.read(lambda work: work.keys.get("k1"))
        assert (record.state, record.activated_at, record.auto_activate) == (ACTIVE, NOW, False)

    run(scenario)


def test_activity_is_seen_at_once_within_the_transaction_that_changes_it(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def change(work: Any) -> list[bool]:
            before = work.keys.is_active("k1")
            work.keys.add(key(1, ACTIVE))
            added = work.keys.is_active("k1")
            work.keys.move("k1", ACTIVE, VERIFY_ONLY, not_after_unix=NOW)
            return [before, added, work.keys.is_active("k1")]

        assert await store.transact(change) == [False, True, False]

    run(scenario)


def test_snapshots_are_numbered_without_gaps_and_read_both_ways(run: Run) -> None:
    async def scenario(store: Any) -> None:
        assert await store.read(lambda work: (work.snapshots.head(), work.snapshots.latest())) == (0, None)
        for sequence in range(1, 6):
            await store.transact(lambda work, sequence=sequence: append(work, sequence))
        assert await store.read(lambda work: work.snapshots.head()) == 5
        assert (await store.read(lambda work: work.snapshots.latest()))["sequence"] == 5
        newest = await store.read(lambda work: work.snapshots.page(None, None, 2))
        assert [one["sequence"] for one in newest] == [5, 4]
        older = await store.read(lambda work: work.snapshots.page(4, None, 10))
        assert [one["sequence"] for one in older] == [3, 2, 1]
        above = await store.read(lambda work: work.snapshots.page(None, 2, 2))
        assert [one["sequence"] for one in above] == [3, 4]

    run(scenario)


def test_a_snapshot_that_does_not_follow_is_refused_and_nothing_is_kept(run: Run) -> None:
    async def scenario(store: Any) -> None:
        with pytest.raises(ValueError, match="follows"):
            await store.transact(lambda work: append(work, 2))
        assert await store.read(lambda work: work.snapshots.head()) == 0

    run(scenario)


def test_a_snapshot_keeps_its_bytes(run: Run) -> None:
    async def scenario(store: Any) -> None:
        entry = {"sequence": 1, "generated_at": NOW, "z": "ä\u2028", "a": [None, {"kid": "k"}]}
        await store.transact(lambda work: work.snapshots.append(entry))
        kept = await store.read(lambda work: work.snapshots.latest())
        assert kept == entry
        assert list(kept) == list(entry)

    run(scenario)


def append(work: Any, sequence: int) -> None:
    work.snapshots.take()
    work.snapshots.append({"sequence": sequence, "generated_at": NOW + sequence})


def test_of_two_simultaneous_moves_one_wins(database: DatabaseUnderTest) -> None:
    """Two processes on one database, each in a transaction of its own."""

    async def scenario(first: Any) -> None:
        second = open_database(database.url)
        stores = [issuer_store(one, ManualClock(NOW), 60, lambda: None) for one in (first, second)]
        try:
            await stores[0].transact(lambda work: work.keys.add(key(1)))

            def to(state: str) -> Callable[[Any], bool]:
                return lambda work: bool(work.snapshots.take() >= 0 and work.keys.move("k1", PREPARED, state))

            moved = await asyncio.gather(
                *(stores[turn % 2].transact(to(state)) for turn, state in enumerate([ACTIVE, RETIRED, REVOKED] * 4))
            )
            assert moved.count(True) == 1
        finally:
            await second.close()

    database.run(scenario)


def test_no_activation_slips_past_an_issue_that_saw_the_key_active(make_database: Callable[[str], DatabaseUnderTest]) -> None:
    """The key's row stays share-locked until the issue commits; SQLite has one writer anyway."""

    url = make_database("postgres").url

    async def main() -> None:
        engine = postgres_engine(url)
        async with engine.begin() as setup:
            await setup.run_sync(lambda connection: within(connection, lambda keys: keys.add(key(1, ACTIVE))))
        async with engine.begin() as issuing:
            assert await issuing.run_sync(lambda connection: within(connection, lambda keys: keys.is_active("k1")))
            with pytest.raises(DBAPIError, match="lock timeout"):
                await step_back(engine)
        assert await step_back(engine)
        await engine.dispose()

    asyncio.run(main())


async def step_back(engine: AsyncEngine) -> Any:
    async with engine.begin() as moving:
        await moving.execute(text("SET LOCAL lock_timeout = '50ms'"))
        return await moving.run_sync(lambda connection: within(connection, lambda keys: keys.move("k1", ACTIVE, ACTIVE)))


def within(connection: Connection, act: Callable[[SqlKeys], Any]) -> Any:
    tx = Tx(connection)
    value = act(SqlKeys(tx))
    tx.flush()
    return value
