"""A source never gets more than its calls in any rolling second, and its headers tell the truth."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.infra.limit import Charge, SourceRate

START = 1_800_000_000_000


def most_in_a_second(times: list[int]) -> int:
    """The highest number of calls in any [t, t + 1000 ms]."""
    return max((index + 1 - bisect_left(times, at - 1000) for index, at in enumerate(times)), default=0)


@given(st.integers(1, 7), st.lists(st.integers(0, 400), max_size=300))
def test_no_rolling_second_holds_more_than_the_limit(limit: int, pauses: list[int]) -> None:
    rate, at, admitted = SourceRate(limit), START, []
    for pause in pauses:
        at += pause
        if rate.charge("a", at).allowed:
            admitted.append(at)
    assert most_in_a_second(admitted) <= limit


@given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 700)), max_size=300))
def test_a_flood_of_sources_lets_none_exceed_its_limit(limit: int, calls: list[tuple[str, int]]) -> None:
    rate, at = SourceRate(limit, most_sources=2), START
    admitted: dict[str, list[int]] = {}
    for source, pause in calls:
        at += pause
        if rate.charge(source, at).allowed:
            admitted.setdefault(source, []).append(at)
        assert len(rate) <= 2
    assert all(most_in_a_second(times) <= limit for times in admitted.values())


@given(st.integers(1, 5), st.lists(st.integers(0, 300), min_size=1, max_size=60))
def test_a_lone_retry_after_the_told_time_succeeds_and_remaining_is_true(limit: int, pauses: list[int]) -> None:
    rate, at = SourceRate(limit), START
    for pause in pauses:
        at += pause
        answer = rate.charge("a", at)
    for left in range(answer.remaining, 0, -1):
        assert rate.charge("a", at) == Charge(True, limit, left - 1, answer.retry_after_s)
    refused = rate.charge("a", at)
    assert not refused.allowed
    assert rate.charge("a", at + 1000 * refused.retry_after_s).allowed


def test_sources_do_not_share_while_there_is_room() -> None:
    rate = SourceRate(1)
    assert rate.charge("a", START).allowed
    assert not rate.charge("a", START).allowed
    assert rate.charge("b", START).allowed


def test_a_quiet_source_gives_its_place_to_a_new_one() -> None:
    rate = SourceRate(1, most_sources=1)
    rate.charge("a", START)
    assert rate.charge("b", START + 1100).allowed
    assert len(rate) == 1


def test_a_backward_clock_admits_nothing_more() -> None:
    rate = SourceRate(2)
    assert [rate.charge("a", at).allowed for at in (START, START - 3_600_000, START - 1)] == [True, True, False]


def test_headers_name_policy_and_rest() -> None:
    rate = SourceRate(5000)
    assert rate.charge("a", START).headers() == {"RateLimit-Policy": '"second";q=5000;w=1', "RateLimit": '"second";r=4999;t=2'}


@pytest.mark.parametrize("calls", [1, 1000])
def test_zero_switches_the_limit_off(calls: int) -> None:
    rate = SourceRate(0)
    answers = [rate.charge("a", START) for _ in range(calls)]
    assert all(one.allowed and one.headers() == {} for one in answers)
    assert len(rate) == 0
