"""The revocation feed and locks keep the same promises in memory, on SQLite and on PostgreSQL (tokens.md §4)."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from clawscope.issuer.domain.feed import KEY, NEVER, Lock
from clawscope.kernel.errors import Refusal
from tests.contract.conftest import Run
from tests.contract.rows import EVERYTHING, NOW, ORG, OWNER, cut, issue, revoke


def test_rows_read_back_and_are_found_by_every_name(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def fill(work: Any) -> list[Any]:
            jti = str(uuid.uuid4())
            return [
                revoke(work, jti=jti, token_hash="a" * 64, org_id="org_1"),
                revoke(work, token_hash="b" * 64),
                cut(work, "run_id", "r", locked=True, owner_did="did:key:zOwner"),
                revoke(work, kind=KEY, kid="k1", exp=NEVER),
            ]

        rows = await store.transact(fill)
        assert await store.read(lambda work: work.revocations.since(0, 10)) == rows

        def found(work: Any) -> list[Any]:
            feed = work.revocations
            return [feed.find(rows[0].jti, None), feed.find(None, "b" * 64), feed.cut_off(rows[2].cutoff_id), feed.key_row("k1")]

        assert await store.read(found) == rows
        assert await store.read(lambda work: (work.revocations.find("no", "c" * 64), work.revocations.key_row("k2"))) == (None, None)

    run(scenario)


def test_numbers_rise_in_commit_order_without_a_gap(run: Run) -> None:
    async def scenario(store: Any) -> None:
        async def one(turn: int) -> int | None:
            def add(work: Any) -> int:
                sequence: int = revoke(work, token_hash=f"{turn:064d}").sequence
                if turn % 4 == 1:
                    raise LookupError(turn)
                return sequence

            try:
                return int(await store.transact(add))
            except LookupError:
                return None

        sequences = [one for one in await asyncio.gather(*(one(turn) for turn in range(80))) if one is not None]
        assert sequences == list(range(1, 61))
        assert await store.read(lambda work: (work.revocations.head(), len(work.revocations.since(0, 100)))) == (60, 60)

    run(scenario)


def test_of_many_revocations_of_one_token_one_is_first(run: Run) -> None:
    async def scenario(store: Any) -> None:
        jti = str(uuid.uuid4())

        def first(work: Any) -> bool:
            work.revocations.queue()
            if work.revocations.find(jti, None) is not None:
                return False
            revoke(work, jti=jti)
            return True

        assert sorted(await asyncio.gather(*(store.transact(first) for _ in range(20)))) == [False] * 19 + [True]

    run(scenario)


@pytest.mark.parametrize("twin", [{"jti": "0" * 36}, {"token_hash": "0" * 64}, {"cutoff_id": "cut_1"}])
def test_a_second_row_of_a_name_is_refused_and_leaves_no_gap(run: Run, twin: dict[str, str]) -> None:
    async def scenario(store: Any) -> None:
        await store.transact(lambda work: revoke(work, **twin))
        with pytest.raises(Refusal, match="STORE_UNAVAILABLE"):
            await store.transact(lambda work: revoke(work, **twin))
        assert (await store.transact(lambda work: revoke(work, token_hash="f" * 64))).sequence == 2

    run(scenario)


def test_pages_and_exports_keep_to_reach_time_and_filters(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def fill(work: Any) -> None:
            issued = issue(work, mission_id="m")
            revoke(work, jti=issued.claims["jti"], org_id="org_1", revoked_at=NOW)
            revoke(work, token_hash="b" * 64, owner_did="did:key:zOwner", revoked_at=NOW + 1)
            cut(work, "mission_id", "m", revoked_at=NOW + 2)

        await store.transact(fill)

        async def numbers(*arguments: Any, **named: Any) -> list[int]:
            return [row.sequence for row in await store.read(lambda work: work.revocations.page(*arguments, **named))]

        assert await numbers(None, 2, EVERYTHING) == [3, 2]
        assert await numbers(3, 9, EVERYTHING) == [2, 1]
        assert await numbers(None, 9, ORG) == [1]
        assert await numbers(None, 9, OWNER) == [2]
        assert await numbers(None, 9, ORG, bare=True) == [3, 2, 1]
        assert await numbers(None, 9, EVERYTHING, times=(NOW + 1, NOW + 2)) == [2]
        assert await numbers(None, 9, EVERYTHING, equal={"token_hash": "b" * 64}) == [2]
        assert await numbers(None, 9, EVERYTHING, equal={"mission_id": "m"}) == [1]
        exported = await store.read(lambda work: work.revocations.export(EVERYTHING, 1, 3, 9, (None, None), {}))
        assert [row.sequence for row in exported] == [2, 3]

    run(scenario)


def test_rows_that_can_hit_nothing_any_more_are_left_out(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def fill(work: Any) -> None:
            for number, exp in enumerate((NOW - 1, NOW, NEVER)):
                revoke(work, token_hash=f"{number:064d}", exp=exp)

        await store.transact(fill)
        assert [row.sequence for row in await store.read(lambda work: work.revocations.still_hitting(NOW, 0, 9))] == [2, 3]
        assert [row.sequence for row in await store.read(lambda work: work.revocations.still_hitting(NOW, 2, 9))] == [3]
        assert [row.sequence for row in await store.read(lambda work: work.revocations.since(1, 1))] == [2]

    run(scenario)


def test_locks_stand_until_they_are_lifted(run: Run) -> None:
    async def scenario(store: Any) -> None:
        locks = [Lock(f"cut_{number}", "run_id", f"r{number}", "org_1" if number else None) for number in range(3)]
        await store.transact(lambda work: [work.locks.add(lock) for lock in locks])
        assert sorted(await store.read(lambda work: work.locks.all()), key=lambda lock: lock.cutoff_id) == locks
        assert await store.read(lambda work: work.locks.get("cut_1")) == locks[1]
        assert await store.transact(lambda work: [work.locks.lift("cut_1"), work.locks.lift("cut_1"), work.locks.get("cut_1")]) == [
            True,
            False,
            None,
        ]
        assert len(await store.read(lambda work: work.locks.all())) == 2
        with pytest.raises(Refusal, match="STORE_UNAVAILABLE"):
            await store.transact(lambda work: work.locks.add(locks[0]))

    run(scenario)


def test_a_lock_is_seen_at_once_by_what_comes_after_it_in_the_same_batch(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def locked(work: Any) -> list[str]:
            return [lock.value for lock in work.locks.all()]

        def lock(name: str) -> Any:
            return lambda work: work.locks.add(Lock(f"cut_{name}", "run_id", name))

        asked = [locked, lock("a"), locked, lambda work: work.locks.lift("cut_a"), locked, lock("b"), locked]
        answers = await asyncio.gather(*(store.transact(one) for one in asked))
        assert [answers[at] for at in (0, 2, 4, 6)] == [[], ["a"], [], ["b"]]

    run(scenario)
