"""The load generator: prebuilt HTTP/1.1 requests over keep-alive connections, one answer awaited per connection.

Runs in a process of its own: `python -m bench.load JOB.json` prints one JSON line, a `Result`.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from array import array
from pathlib import Path
from typing import cast

import msgspec
import uvloop

_STALL_S = 30.0
_SAMPLE_BYTES = 300


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to send and what counts as a right answer.

    `bodies_file` holds one body per line (none: no body); with `once` each is sent a single time and the run ends with the
    last one, else they go round. `warm_s` seconds (with `once` at most a tenth of the bodies) are sent but not counted, then
    `seconds` are. `collect_file` receives every right body, one per line.
    """

    port: int
    method: str
    path: str
    headers: dict[str, str] = {}
    bodies_file: str | None = None
    first: int = 0
    count: int | None = None
    once: bool = False
    connections: int = 32
    warm_s: float = 0.0
    seconds: float
    status: int = 200
    contains: str = ""
    collect_file: str | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured. `busy` is the share of its core the generator used: near 1 it was the bottleneck itself."""

    requests: int
    seconds: float
    per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    wrong: int
    broken: int
    busy: float
    exhausted: bool
    sample: str


def prebuilt(job: Job) -> list[bytes]:
    """Every request of the job as the bytes that go over the wire."""
    head = f"{job.method} {job.path} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in job.headers.items())
    if job.bodies_file is None:
        return [f"{head}\r\n".encode()]
    bodies = Path(job.bodies_file).read_bytes().splitlines()
    last = None if job.count is None else job.first + job.count
    start = head.encode()
    return [b"%sContent-Length: %d\r\n\r\n%s" % (start, len(body), body) for body in bodies[job.first : last]]


class Tally:
    """The shared state of a run: the requests still to send, the window that counts, and what came back."""

    def __init__(self, job: Job) -> None:
        requests = prebuilt(job)
        if not requests:
            raise SystemExit("the job has nothing to send")
        self._requests = requests
        self._next = 0
        self._once = job.once
        self.opens = 0.0
        self.closes = 0.0
        self.last_at = 0.0
        self.latencies = array("d")
        self.wrong = 0
        self.broken = 0
        self.exhausted = False
        self.sample = ""
        self.status = b" %d " % job.status
        self.contains = job.contains.encode()
        self.kept: list[bytes] | None = [] if job.collect_file else None

    def take(self, now: float) -> bytes | None:
        """The next request, or `None` when the window has closed or the requests are used up."""
        if now >= self.closes:
            return None
        at = self._next
        if at == len(self._requests):
            if self._once:
                self.exhausted = True
                return None
            at = 0
        if self._once and at == len(self._requests) // 10:
            self._open_early(now)
        self._next = at + 1
        return self._requests[at]

    def _open_early(self, now: float) -> None:
        """Open the window when a tenth of the requests is spent, so that warming up cannot use up those that are sent once."""
        early = max(0.0, self.opens - now)
        self.opens -= early
        self.closes -= early

    def answered(self, sent_at: float, now: float, head: bytes, body: bytes) -> None:
        """Judge one answer; right answers inside the window are counted with their latency."""
        if head[8:13] != self.status or self.contains not in body:
            self.wrong += 1
            # Answers of the right status may hold tokens; refusals never do.
            right = head[8:13] == self.status
            self.sample = self.sample or (
                "right status, wrong body" if right else (head[:40] + b" ... " + body)[:_SAMPLE_BYTES].decode("latin-1")
            )
            return
        if self.kept is not None:
            self.kept.append(body)
        if self.opens <= sent_at and now <= self.closes:
            self.latencies.append(now - sent_at)
            self.last_at = now


class Connection(asyncio.Protocol):
    """One keep-alive connection: send, await the whole answer, send the next; `ended` is set when there is no more."""

    def __init__(self, tally: Tally, ended: asyncio.Future[None]) -> None:
        self._tally = tally
        self._ended = ended
        self._buffer = b""
        self._head = b""
        self._missing = -1
        self._closes = False
        self._sent_at = 0.0
        self._waiting = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from asyncio's
        self._send()

    def data_received(self, data: bytes) -> None:
        """Gather an answer; when it is whole, judge it and send the next request."""
        buffer = self._buffer + data if self._buffer else data
        if self._missing < 0:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = buffer
                return
            self._head = buffer[:end]
            self._missing, self._closes = framing(self._head)
            buffer = buffer[end + 4 :]
        if len(buffer) < self._missing:
            self._buffer = buffer
            return
        self._tally.answered(self._sent_at, time.perf_counter(), self._head, buffer)
        self._buffer, self._missing, self._waiting = b"", -1, False
        if self._closes:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, _exc: Exception | None) -> None:
        """A connection lost with an answer owing counts as broken."""
        self._tally.broken += self._waiting
        if not self._ended.done():
            self._ended.set_result(None)

    def _send(self) -> None:
        now = time.perf_counter()
        request = self._tally.take(now)
        if request is None:
            self._transport.close()
            return
        self._sent_at, self._waiting = now, True
        self._transport.write(request)


def framing(head: bytes) -> tuple[int, bool]:
    """The length of the body that follows this head, and whether the server closes afterwards. Chunked answers stop the run."""
    lower = head.lower()
    closes = b"\r\nconnection: close" in lower
    at = lower.find(b"\r\ncontent-length:")
    if at < 0 or head[8:13] == b" 304 ":
        if b"\r\ntransfer-encoding:" in lower:
            raise SystemExit("the generator reads no chunked answers")
        return 0, closes
    end = lower.find(b"\r\n", at + 2)
    return int(lower[at + 17 : end if end > 0 else len(lower)]), closes


async def _connection(job: Job, tally: Tally) -> None:
    """Keep one connection at work until the window closes, opening it anew when the server closes it."""
    loop = asyncio.get_running_loop()
    while time.perf_counter() < tally.closes and not tally.exhausted:
        ended: asyncio.Future[None] = loop.create_future()

        def made(ended: asyncio.Future[None] = ended) -> Connection:
            return Connection(tally, ended)

        transport, _ = await loop.create_connection(made, "127.0.0.1", job.port)
        left = tally.closes - time.perf_counter()
        done, _ = await asyncio.wait({ended}, timeout=left + _STALL_S)
        if not done:
            transport.abort()
            await ended
            return


async def run(job: Job, tally: Tally) -> float:
    """Do the job; returns the share of its core the generator used."""
    cpu_before = time.process_time()
    start = time.perf_counter()
    tally.opens, tally.closes = start + job.warm_s, start + job.warm_s + job.seconds
    await asyncio.gather(*(_connection(job, tally) for _ in range(job.connections)))
    return (time.process_time() - cpu_before) / (time.perf_counter() - start)


def summary(tally: Tally, busy: float) -> Result:
    """The figures of a finished run; a run that used up its requests lasted until its last answer."""
    ordered = sorted(tally.latencies)
    counted = len(ordered)
    end = tally.last_at if tally.exhausted else tally.closes
    seconds = max(end - tally.opens, 1e-9) if counted else 0.0
    return Result(
        requests=counted,
        seconds=seconds,
        per_s=counted / seconds if counted else 0.0,
        p50_ms=nearest_rank(ordered, 0.50) * 1e3,
        p99_ms=nearest_rank(ordered, 0.99) * 1e3,
        max_ms=ordered[-1] * 1e3 if ordered else 0.0,
        wrong=tally.wrong,
        broken=tally.broken,
        busy=busy,
        exhausted=tally.exhausted,
        sample=tally.sample,
    )


def nearest_rank(ordered: list[float], share: float) -> float:
    """The nearest-rank percentile of ascending values, 0 when there are none."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def main() -> None:
    """Run the job named on the command line."""
    job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    tally = Tally(job)
    busy = uvloop.run(run(job, tally))
    if job.collect_file and tally.kept is not None:
        Path(job.collect_file).write_bytes(b"\n".join(tally.kept))
    result = summary(tally, busy)
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


if __name__ == "__main__":
    main()
