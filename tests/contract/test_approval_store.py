"""Approval requests, spent receipts and approval rows keep the same promises on every store (tokens.md §8)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from clawscope.issuer.domain.rows import Filters
from clawscope.kernel.errors import Refusal
from tests.contract.conftest import Run
from tests.contract.rows import EVERYTHING, NOW, ORG, OWNER, approve, ask, spent


def test_a_request_reads_back_before_and_after_its_decision(run: Run) -> None:
    async def scenario(store: Any) -> None:
        row = await store.transact(lambda work: ask(work, "apv_1", org_id="org_1", request={"z": [1, {"ä": "b"}]}))
        assert await store.read(lambda work: work.approvals.request("apv_1")) == row
        decided = replace(row, state="approved", decided_at=NOW + 1, decided_by="op", decision="approve", reason="ok", receipt={"a": 1})
        assert await store.transact(lambda work: work.approvals.decide(decided))
        assert await store.read(lambda work: work.approvals.request("apv_1")) == decided
        assert await store.read(lambda work: work.approvals.request("apv_2")) is None

    run(scenario)


def test_of_many_decisions_one_holds(run: Run) -> None:
    async def scenario(store: Any) -> None:
        row = await store.transact(lambda work: ask(work, "apv_1"))
        tries = [replace(row, state="denied", decision="deny", decided_by=f"op{turn}", decided_at=NOW, reason="no") for turn in range(10)]
        held = await asyncio.gather(*(store.transact(lambda work, one=one: work.approvals.decide(one)) for one in tries))
        assert held.count(True) == 1
        assert (await store.read(lambda work: work.approvals.request("apv_1"))).decided_by == f"op{held.index(True)}"

    run(scenario)


def test_requests_are_listed_by_state_and_reach_newest_first(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def fill(work: Any) -> None:
            rows = [
                ask(work, f"apv_{number}", org_id="org_1" if number % 2 else None, owner_did="did:key:zOwner") for number in range(1, 6)
            ]
            work.approvals.decide(replace(rows[4], state="denied", decision="deny", decided_by="op", decided_at=NOW, reason="no"))

        await store.transact(fill)

        async def names(*arguments: Any) -> list[str]:
            return [row.approval_id[4:] for row in await store.read(lambda work: work.approvals.requests(*arguments))]

        assert await names(None, EVERYTHING, None, 3) == ["5", "4", "3"]
        assert await names("pending", EVERYTHING, None, 9) == ["4", "3", "2", "1"]
        assert await names(None, EVERYTHING, 3, 9) == ["2", "1"]
        assert await names(None, ORG, None, 9) == ["5", "3", "1"]
        assert await names(None, OWNER, None, 9) == ["5", "4", "3", "2", "1"]

    run(scenario)


def test_a_receipt_is_spent_once_by_hash_and_by_signer_with_id(run: Run) -> None:
    async def scenario(store: Any) -> None:
        first = spent(1)
        await store.transact(lambda work: work.approvals.spend(first))
        for twin in (spent(2, payload_hash=first.payload_hash), spent(2, receipt_id=first.receipt_id)):
            with pytest.raises(Refusal, match="STORE_UNAVAILABLE"):
                await store.transact(lambda work, twin=twin: work.approvals.spend(twin))
            found = await store.read(lambda work, twin=twin: work.approvals.spent(twin.signer_did, twin.receipt_id, twin.payload_hash))
            assert found == first
        await store.transact(lambda work: work.approvals.spend(spent(2, receipt_id=first.receipt_id, signer_did="did:key:zOther")))
        assert await store.read(lambda work: work.approvals.spent("did:key:zS", "apr_9", "0" * 43)) is None

    run(scenario)


def test_of_a_hundred_parallel_exchanges_one_spends(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def exchange(work: Any) -> bool:
            if work.approvals.spent("did:key:zS", "apr_1", f"{1:043d}") is not None:
                return False
            work.approvals.spend(spent(1))
            return True

        answers = await asyncio.gather(*(store.transact(exchange) for _ in range(100)), return_exceptions=True)
        assert answers.count(True) == 1

    run(scenario)


def test_rows_are_numbered_paged_and_exported(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def fill(work: Any) -> list[Any]:
            return [approve(work, at=NOW + number, org_id="org_1" if number % 2 else None, jti=f"j{number}") for number in range(4)]

        rows = await store.transact(fill)
        assert await store.read(lambda work: work.approvals.page(Filters(), EVERYTHING, None, 9)) == [
            (row.sequence, row) for row in rows[::-1]
        ]

        async def numbers(filters: Filters, reach: Any, before: int | None = None) -> list[int]:
            return [at for at, _ in await store.read(lambda work: work.approvals.page(filters, reach, before, 9))]

        assert await numbers(Filters(), ORG) == [4, 2]
        assert await numbers(Filters({"jti": "j2"}), EVERYTHING) == [3]
        assert await numbers(Filters({"mission_id": "m"}), EVERYTHING) == []
        assert await numbers(Filters({}, NOW + 1, NOW + 3), EVERYTHING, 3) == [2]
        assert [at for at, _ in await store.read(lambda work: work.approvals.export(Filters(), EVERYTHING, 1, 3, 9))] == [2, 3]
        assert await store.read(lambda work: work.approvals.head()) == 4

    run(scenario)


def test_a_failing_exchange_leaves_neither_mark_nor_row_nor_gap(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def half(work: Any) -> None:
            work.approvals.spend(spent(1))
            approve(work)
            raise RuntimeError("power cut")

        with pytest.raises(RuntimeError, match="power cut"):
            await store.transact(half)
        assert await store.read(lambda work: (work.approvals.head(), work.approvals.spent("did:key:zS", "apr_1", f"{1:043d}"))) == (0, None)
        assert (await store.transact(approve)).sequence == 1

    run(scenario)
