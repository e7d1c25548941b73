"""The revocation SLO measures propagation to verifiers, and invents nothing (keys.md §7)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.issuer.domain.feed import NEVER, FeedRow
from clawscope.issuer.domain.slo import SloTally, window
from clawscope.kernel.codes import STORE_UNAVAILABLE
from clawscope.kernel.errors import Refusal
from tests.unit.issuer.keys.conftest import House, run

NOW_MS = 1_800_000_000_000


def tally(latencies: list[float], pending: list[float], target_s: int = 2) -> SloTally:
    made = SloTally(target_s * 1000, NOW_MS)
    for latency in latencies:
        made.add(NOW_MS - 60_000, NOW_MS - 60_000 + round(latency * 1000))
    for age in pending:
        made.add(NOW_MS - round(age * 1000), None)
    return made


def test_the_vector_of_the_contract() -> None:
    figures = tally([0.2, 0.4, 0.9, 1.5, 2.5], [1, 10]).figures()
    assert figures == {
        "total_revocations": 7,
        "observed_revocations": 5,
        "pending_revocations": 2,
        "overdue_revocations": 1,
        "compliance_ratio": 0.666667,
        "latency_seconds": {"min": 0.2, "p50": 0.9, "p95": 2.5, "p99": 2.5, "max": 2.5},
    }


def test_without_data_there_is_no_ratio_and_no_percentile() -> None:
    figures = tally([], []).figures()
    assert figures["compliance_ratio"] is None
    assert set(figures["latency_seconds"].values()) == {None}


def test_a_pending_row_within_the_target_is_not_judged_yet() -> None:
    assert tally([], [2.0]).ratio() is None
    assert tally([], [2.001]).ratio() == 0.0


@given(st.lists(st.integers(0, 600_000), min_size=1, max_size=60), st.sampled_from([50, 95, 99]))
def test_percentiles_are_nearest_rank(latencies: list[int], percent: int) -> None:
    found = tally([ms / 1000 for ms in latencies], [])
    rank = -(-percent * len(latencies) // 100)
    assert found.percentile(percent) == round(sorted(latencies)[rank - 1] / 1000, 3)


def test_memory_does_not_grow_with_the_rows() -> None:
    made = SloTally(2000, NOW_MS)
    for number in range(20_000):
        made.add(0, number % 50)
    for number in range(1000):
        made.add(0, 700_000 + number)
    assert len(made.counts) == 52
    assert made.percentile(99) == 700.999


def test_the_window_is_a_day_and_clamped() -> None:
    assert [window(hours) for hours in (None, 0, -5, 7, 10_000)] == [24, 1, 1, 7, 336]


def revoke(house: House) -> int:
    def record(work: Any) -> int:
        sequence: int = work.revocations.next_sequence()
        work.revocations.add(FeedRow(sequence, "token", NEVER, "", "op", house.clock.now(), house.clock.now_ms(), token_hash="0"))
        return sequence

    found: int = run(house.store.transact(record))
    return found


def acknowledge(house: House, node: str, sequence: int, credential: str = "cred", **more: Any) -> None:
    run(house.acknowledge(credential, node, "proxy", sequence, **more))


def report(house: House, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = run(house.slo(None, persist=more.get("persist", False)))
    return found


def test_a_row_counts_once_every_node_has_applied_it(house: House) -> None:
    for node in ("proxy-1", "proxy-2"):
        acknowledge(house, node, 0)
    sequence = revoke(house)
    house.clock.move(0.5)
    acknowledge(house, "proxy-1", sequence)
    assert report(house)["observed_revocations"] == 0
    house.clock.move(0.4)
    acknowledge(house, "proxy-2", sequence)
    shown = report(house)
    assert (shown["observed_revocations"], shown["compliance_ratio"], shown["latency_seconds"]["max"]) == (1, 1.0, 0.9)


def test_a_row_nobody_was_there_for_gets_no_latency_and_becomes_overdue(house: House) -> None:
    revoke(house)
    assert (report(house)["pending_revocations"], report(house)["overdue_revocations"]) == (1, 0)
    house.clock.move(3)
    shown = report(house)
    assert (shown["overdue_revocations"], shown["compliance_ratio"], shown["latency_seconds"]["p50"]) == (1, 0.0, None)


def test_a_silent_node_is_lost_after_a_time_told_once_and_its_rows_stay_overdue(house: House) -> None:
    acknowledge(house, "proxy-1", 0)
    revoke(house)
    house.clock.move(house.rules.node_forget_s + 1)
    assert run(house.acknowledge.tell_lost()) == ("proxy-1",)
    assert run(house.acknowledge.tell_lost()) == ()
    shown = report(house)
    assert shown["nodes"] == []
    assert [node["node_id"] for node in shown["lost_nodes"]] == ["proxy-1"]
    assert shown["lost_nodes"][0]["lag"] == 1
    assert shown["overdue_revocations"] == 1
    assert house.events().count("verifier_node_lost") == 1


def test_a_node_that_leaves_in_good_order_is_not_missed(house: House) -> None:
    acknowledge(house, "proxy-1", 0)
    acknowledge(house, "proxy-2", 0, leaving=True)
    house.clock.move(1)
    sequence = revoke(house)
    acknowledge(house, "proxy-1", sequence)
    house.clock.move(house.rules.node_forget_s + 1)
    shown = report(house)
    assert shown["observed_revocations"] == 1
    assert [node["node_id"] for node in shown["lost_nodes"]] == ["proxy-1"]


def test_an_ack_beyond_the_feed_is_refused(house: House) -> None:
    with pytest.raises(Refusal, match="REVOCATION_SEQUENCE_AHEAD"):
        acknowledge(house, "proxy-1", 1)


def test_a_node_belongs_to_the_credential_that_first_used_it(house: House) -> None:
    acknowledge(house, "proxy-1", 0)
    with pytest.raises(Refusal, match="FORBIDDEN"):
        acknowledge(house, "proxy-1", 0, credential="another")


@pytest.mark.parametrize("node", ["", "a" * 65, "a b", "ü", "a/b"])
def test_a_node_id_is_of_few_characters(house: House, node: str) -> None:
    with pytest.raises(Refusal, match="INVALID_REQUEST"):
        acknowledge(house, node, 0)


def test_a_kept_report_is_an_event_and_the_hourly_one_is_made_once_an_hour(house: House) -> None:
    kept = report(house, persist=True)
    assert house.store.work.nodes.reports[0][1]["report_id"] == kept["report_id"]
    assert house.events()[-1] == "slo_report_stored"
    assert not run(house.slo.hourly())
    house.clock.move(3600)
    assert run(house.slo.hourly())
    assert not run(house.slo.hourly())


def test_a_report_that_cannot_be_computed_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(function: Any) -> Any:
        raise STORE_UNAVAILABLE("gone")

    monkeypatch.setattr(house.store, "read", gone)
    with pytest.raises(Refusal, match="REVOCATION_SLO_REPORT_FAILED"):
        report(house)


def test_the_report_has_the_wires_members(house: House) -> None:
    house.start(replace(house.rules, slo_target_s=5))
    acknowledge(house, "proxy-1", 0)
    shown = report(house)
    assert list(shown) == [
        "report_version", "generated_at", "generated_at_iso", "window_hours", "slo_target_seconds", "total_revocations",
        "observed_revocations",
        "pending_revocations", "overdue_revocations", "compliance_ratio", "latency_seconds", "nodes", "lost_nodes", "report_id",
    ]  # fmt: skip
    assert shown["nodes"] == [{"node_id": "proxy-1", "kind": "proxy", "applied_sequence": 0, "lag": 0, "last_seen_at": house.clock.now()}]
    assert shown["slo_target_seconds"] == 5
