"""The buffer is bounded, never waits, and shows what it dropped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from clawscope.infra.telemetry.buffer import TelemetryBuffer


def test_entries_come_out_in_order_and_at_most_as_many_as_asked() -> None:
    buffer = TelemetryBuffer[int](10)
    for number in range(5):
        buffer.offer(number)
    assert buffer.drain(3) == [0, 1, 2]
    assert buffer.drain(3) == [3, 4]
    assert buffer.drain(3) == []


def test_a_full_buffer_drops_the_newest_and_counts() -> None:
    buffer = TelemetryBuffer[int](2)
    for number in range(5):
        buffer.offer(number)
    assert (buffer.drain(9), buffer.dropped, len(buffer)) == ([0, 1], 3, 0)


def test_every_entry_is_kept_or_counted_under_many_threads() -> None:
    buffer = TelemetryBuffer[int](1000)
    taken: list[int] = []
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(lambda: [buffer.offer(n) for n in range(2000)]) for _ in range(7)]
        while not all(job.done() for job in jobs):
            taken += buffer.drain(100)
    taken += buffer.drain(10_000)
    assert len(taken) + buffer.dropped == 14_000
