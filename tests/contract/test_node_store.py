"""Verifier nodes keep the same promises in memory, on SQLite and on PostgreSQL (keys.md §7)."""

from __future__ import annotations

from typing import Any

from clawscope.issuer.domain.feed import NEVER, FeedRow
from clawscope.issuer.domain.rows import NodeState
from tests.contract.conftest import NOW, Run

NOW_MS = NOW * 1000


def feed_row(work: Any, committed_at_ms: int) -> int:
    sequence: int = work.revocations.next_sequence()
    row = FeedRow(sequence, "token", NEVER, "", "op", committed_at_ms // 1000, committed_at_ms, token_hash=f"{sequence:064d}")
    work.revocations.add(row)
    return sequence


def report(work: Any, node_id: str, applied: int, at_ms: int, **changes: Any) -> None:
    work.nodes.heard(NodeState(node_id, "proxy", "cred", applied, at_ms, **changes), 30_000)


def latencies(work: Any, to_ms: int = NOW_MS + 10**9) -> list[int | None]:
    return [None if at is None else at - committed for _, committed, at in work.nodes.latencies(NOW_MS - 10**9, to_ms, 30_000)]


def test_a_node_reads_back_and_is_told_lost_once(run: Run) -> None:
    async def scenario(store: Any) -> None:
        await store.transact(lambda work: report(work, "proxy-1", 0, NOW_MS))
        await store.transact(lambda work: report(work, "proxy-1", 3, NOW_MS + 10))
        await store.transact(lambda work: work.nodes.mark_lost("proxy-1"))
        node = await store.read(lambda work: work.nodes.get("proxy-1"))
        assert node == NodeState("proxy-1", "proxy", "cred", 3, NOW_MS + 10, lost_told=True)
        await store.transact(lambda work: report(work, "proxy-1", 3, NOW_MS + 20))
        assert not (await store.read(lambda work: work.nodes.all()))[0].lost_told

    run(scenario)


def test_a_rows_latency_is_that_of_its_slowest_node(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def history(work: Any) -> None:
            report(work, "a", 0, NOW_MS)
            report(work, "b", 0, NOW_MS)
            first = feed_row(work, NOW_MS + 1000)
            report(work, "a", first, NOW_MS + 1200)
            second = feed_row(work, NOW_MS + 1300)
            report(work, "b", second, NOW_MS + 3300)
            report(work, "a", second, NOW_MS + 1400)

        await store.transact(history)
        assert await store.read(latencies) == [2300, 2000]

    run(scenario)


def test_a_row_is_pending_while_one_node_is_missing_or_nobody_was_there(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def history(work: Any) -> None:
            feed_row(work, NOW_MS - 500)
            report(work, "a", 0, NOW_MS)
            report(work, "b", 0, NOW_MS)
            row = feed_row(work, NOW_MS + 1000)
            report(work, "a", row, NOW_MS + 1100)

        await store.transact(history)
        assert await store.read(latencies) == [None, None]

    run(scenario)


def test_a_node_counts_only_if_heard_from_within_the_live_time(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def history(work: Any) -> None:
            report(work, "silent", 0, NOW_MS)
            report(work, "a", 0, NOW_MS)
            report(work, "a", 0, NOW_MS + 20_000)
            report(work, "a", 0, NOW_MS + 40_000)
            row = feed_row(work, NOW_MS + 30_001)
            report(work, "a", row, NOW_MS + 41_000)
            edge = feed_row(work, NOW_MS + 71_000)
            report(work, "a", edge, NOW_MS + 71_100)

        await store.transact(history)
        assert await store.read(latencies) == [10_999, 100]

    run(scenario)


def test_a_node_that_left_in_good_order_holds_nothing_up_but_counts_for_what_it_applied(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def history(work: Any) -> None:
            report(work, "a", 0, NOW_MS)
            report(work, "leaver", 0, NOW_MS)
            applied = feed_row(work, NOW_MS + 100)
            report(work, "a", applied, NOW_MS + 200)
            report(work, "leaver", applied, NOW_MS + 600)
            unseen = feed_row(work, NOW_MS + 700)
            report(work, "leaver", applied, NOW_MS + 800, left=True)
            report(work, "a", unseen, NOW_MS + 900)
            after = feed_row(work, NOW_MS + 1000)
            report(work, "a", after, NOW_MS + 1300)

        await store.transact(history)
        assert await store.read(latencies) == [500, 200, 300]

    run(scenario)


def test_latencies_are_read_over_many_pages_and_only_within_the_window(run: Run) -> None:
    async def scenario(store: Any) -> None:
        def history(work: Any) -> None:
            feed_row(work, NOW_MS - 10**9 - 1)
            report(work, "a", 1, NOW_MS)
            for number in range(2100):
                feed_row(work, NOW_MS + number)
            report(work, "a", 2101, NOW_MS + 3000)
            feed_row(work, NOW_MS + 10**9 + 1)

        await store.transact(history)
        found = await store.read(latencies)
        assert found == [3000 - number for number in range(2100)]

    run(scenario)


def test_the_newest_report_is_found(run: Run) -> None:
    async def scenario(store: Any) -> None:
        assert await store.read(lambda work: work.nodes.last_report_at()) is None
        for at in (NOW + 5, NOW + 1):
            await store.transact(lambda work, at=at: work.nodes.keep_report(f"rsl_{at}", at, {"compliance_ratio": None}))
        assert await store.read(lambda work: work.nodes.last_report_at()) == NOW + 5

    run(scenario)
