"""Issuance rows keep the same promises in memory, on SQLite and on PostgreSQL (tokens.md §6)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from clawscope.issuer.domain.rows import Filters
from clawscope.kernel.errors import Refusal
from clawscope.kernel.principal import Reach
from tests.contract.conftest import Run
from tests.contract.rows import EVERYTHING, NOW, ORG, OTHER_ORG, OWNER, cut, issue, revoke


def test_a_row_reads_back_as_it_was_written(run: Run) -> None:
    async def scenario(store: Any) -> None:
        row = await store.transact(lambda work: issue(work, run_id="r", spend_cap=1.25, may_act={"sub": ["a"]}))
        assert await store.read(lambda work: work.issuances.by_jti(row.claims["jti"])) == row
        assert await store.read(lambda work: work.issuances.by_hash(row.token_hash)) == row
        assert await store.read(lambda work: work.issuances.by_hash("0" * 64)) is None

    run(scenario)


def test_a_row_is_seen_in_its_own_transaction(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def both(work: Any) -> Any:
            row = issue(work)
            return row, work.issuances.by_hash(row.token_hash), work.issuances.head()

        row, found, head = await store.transact(both)
        assert (found, head) == (row, 1)

    run(scenario)


def test_numbers_have_no_gap_whatever_fails_beside_them(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def one(turn: int) -> Any:
            def add(work: Any) -> int:
                sequence: int = issue(work).sequence
                if turn % 3 == 0:
                    raise ZeroDivisionError(turn)
                return sequence

            return add

        answers = await asyncio.gather(*(store.transact(one(turn)) for turn in range(60)), return_exceptions=True)
        failed = [str(one) for one in answers if isinstance(one, ZeroDivisionError)]
        assert failed == [str(turn) for turn in range(0, 60, 3)]
        assert [one for one in answers if isinstance(one, int)] == list(range(1, 41))
        rows = await store.read(lambda work: work.issuances.after(0, 100))
        assert [position for position, _ in rows] == list(range(1, 41))
        assert await store.read(lambda work: work.issuances.head()) == 40

    run(scenario)


@pytest.mark.parametrize("twin", ["jti", "token_hash"])
def test_one_token_has_one_row(run: Run, twin: str) -> None:
    async def scenario(store: Any) -> None:
        row = await store.transact(issue)

        def again(work: Any) -> None:
            claims = dict(row.claims) if twin == "jti" else {**row.claims, "jti": "another"}
            hashed = row.token_hash if twin == "token_hash" else "f" * 64
            work.issuances.add(replace(row, sequence=work.issuances.next_sequence(), claims=claims, token_hash=hashed))

        with pytest.raises(Refusal, match="STORE_UNAVAILABLE"):
            await store.transact(again)
        assert await store.read(lambda work: work.issuances.head()) == 1
        assert (await store.transact(issue)).sequence == 2

    run(scenario)


def test_pages_go_newest_first_and_exports_in_commit_order_within_reach_and_filters(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def fill(work: Any) -> None:
            for number in range(6):
                issue(work, at=NOW + number, org_id="org_1" if number % 2 else "org_2", owner_did="did:key:zOwner", run_id=f"r{number % 3}")

        await store.transact(fill)

        async def positions(filters: Filters, reach: Any, before: int | None = None, most: int = 10) -> list[int]:
            return [at for at, _ in await store.read(lambda work: work.issuances.page(filters, reach, before, most))]

        assert await positions(Filters(), EVERYTHING, most=4) == [6, 5, 4, 3]
        assert await positions(Filters(), EVERYTHING, before=3) == [2, 1]
        assert await positions(Filters(), ORG) == [6, 4, 2]
        assert await positions(Filters(), OTHER_ORG) == [5, 3, 1]
        assert await positions(Filters(), OWNER) == [6, 5, 4, 3, 2, 1]
        assert await positions(Filters({"run_id": "r0"}), EVERYTHING) == [4, 1]
        assert await positions(Filters({}, NOW + 1, NOW + 3), EVERYTHING) == [3, 2]
        found = await store.read(lambda work: work.issuances.export(Filters(), ORG, 2, 6, 10))
        assert [at for at, _ in found] == [4, 6]

    run(scenario)


def test_a_reach_of_nobody_reaches_no_row(run: Run) -> None:
    async def scenario(store: Any) -> None:
        await store.transact(issue)
        assert await store.read(lambda work: work.issuances.page(Filters(), Reach(), None, 9)) == []
        assert await store.read(lambda work: work.issuances.page(Filters(), ORG, None, 9)) == []

    run(scenario)


def test_families_are_counted(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def family(work: Any) -> list[str]:
            root = issue(work).claims["jti"]
            child = issue(work, lineage=[root], parent_jti=root).claims["jti"]
            issue(work, lineage=[root, child], parent_jti=child)
            issue(work, lineage=[root], parent_jti=root, ttl_s=5)
            return [root, child]

        root, child = await store.transact(family)
        counts = [
            await store.read(lambda work, jti=jti: (work.issuances.children_of(jti), work.issuances.descendants_of(jti, NOW + 5)))
            for jti in (root, child)
        ]
        assert counts == [(2, 2), (1, 1)]

    run(scenario)


def test_what_a_key_signed_decides_its_cut_off(run: Run) -> None:
    async def scenario(store: Any) -> None:
        assert await store.read(lambda work: work.issuances.latest_exp("k1")) is None
        await store.transact(lambda work: [issue(work, ttl_s=ttl) for ttl in (10, 600, 60)] and issue(work, kid="k2", ttl_s=9000))
        assert await store.read(lambda work: work.issuances.latest_exp("k1")) == NOW + 600
        assert await store.read(lambda work: work.issuances.live_of_kid("k1", NOW + 10)) == 2

    run(scenario)


@pytest.mark.parametrize("dimension", ["owner_did", "controller_did", "agent_did", "client_id", "org_id", "mission_id", "run_id", "job_id"])
def test_live_tokens_of_a_claim_value(run: Run, dimension: str) -> None:
    async def scenario(store: Any) -> None:
        def fill(work: Any) -> None:
            for ttl in (5, 600):
                issue(work, at=NOW + 1, ttl_s=ttl, **{dimension: "x"})
            issue(work, at=NOW + 9, **{dimension: "y"})

        await store.transact(fill)
        assert await store.read(lambda work: work.issuances.live_for(dimension, "x", NOW + 6, EVERYTHING)) == 1
        assert len(await store.read(lambda work: work.issuances.live_rows(dimension, "x", NOW + 6, EVERYTHING))) == 1
        assert await store.read(lambda work: work.issuances.latest_iat(dimension, "x")) == NOW + 1
        assert await store.read(lambda work: work.issuances.latest_iat(dimension, "z")) is None

    run(scenario)


def test_live_tokens_of_a_chain(run: Run) -> None:
    async def scenario(store: Any) -> None:
        await store.transact(lambda work: issue(work, controller_did="did:c", agent_did="did:a"))
        found = await store.read(
            lambda work: [work.issuances.live_for("chain", value, NOW, EVERYTHING) for value in ("did:c did:a", "did:c did:b")]
        )
        assert found == [1, 0]

    run(scenario)


def test_revoked_and_cut_tokens_are_no_longer_live(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def fill(work: Any) -> None:
            rows = [issue(work, run_id="r") for _ in range(3)]
            revoke(work, jti=rows[0].claims["jti"], token_hash=rows[0].token_hash)

        def live(work: Any) -> int:
            return int(work.issuances.live_for("run_id", "r", NOW, EVERYTHING))

        await store.transact(fill)
        assert await store.read(live) == 2
        await store.transact(lambda work: cut(work, "run_id", "r", NOW - 1))
        assert await store.read(live) == 2
        await store.transact(lambda work: cut(work, "run_id", "r"))
        assert await store.read(live) == 0

    run(scenario)


def test_a_former_cut_off_ends_only_what_lay_within_its_reach(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def fill(work: Any) -> None:
            for org_id in ("org_1", "org_2"):
                issue(work, run_id="r", org_id=org_id)
            cut(work, "run_id", "r", org_id="org_1")

        await store.transact(fill)
        counts = await store.read(
            lambda work: [work.issuances.live_for("run_id", "r", NOW, reach) for reach in (EVERYTHING, ORG, OTHER_ORG)]
        )
        assert counts == [1, 0, 1]

    run(scenario)
