"""Runs a row: server and peer take turns, each started anew, and the medians stand in the table."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec

from bench.cores import SERVER_CORE, pinned
from bench.load import Result
from bench.rows import Row
from bench.servers import Server, clawscope
from bench.stock import Plan, Scene, load
from bench.store import Postgres, Sqlite

OFFLINE_FLOOR_PER_S = 5000.0
OFFLINE_SHARE = 0.90


class _Pair(msgspec.Struct):
    ours_per_s: float
    libsodium_per_s: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One finished line of the table; `None` where a figure does not apply."""

    what: str
    store: str
    per_s: float
    floor_per_s: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    limit_ms: float | None = None
    peer: str | None = None
    peer_per_s: float | None = None
    ratio: float | None = None
    ratio_floor: float | None = None
    busy: float | None = None
    faults: int = 0
    sample: str = ""

    @property
    def passed(self) -> bool:
        """Whether every figure that applies reaches its floor and every answer was right."""
        fast = self.per_s >= self.floor_per_s and not self.faults
        prompt = self.limit_ms is None or (self.p99_ms is not None and self.p99_ms <= self.limit_ms)
        ahead = self.ratio_floor is None or (self.ratio is not None and self.ratio >= self.ratio_floor)
        return fast and prompt and ahead


def measure(row: Row, store: Sqlite | Postgres, folder: Path, plan: Plan) -> Figure:
    """Run a row on a store and sum it up."""
    folder.mkdir()
    url = store.url(row.name)
    if row.setup:
        with clawscope(folder, url) as server:
            row.setup(Scene(server, folder, plan, 0))
    ours: list[Result] = []
    theirs: list[Result] = []
    name = None
    for run in range(plan.runs):
        with clawscope(folder, url) as server:
            ours.append(_checked(load(row.work(Scene(server, folder, plan, run)), folder), row, server))
        if row.peer:
            with row.peer.start(folder) as peer:
                name = peer.name
                theirs.append(_checked(load(row.peer.work(Scene(peer, folder, plan, run)), folder), row, peer))
    return _figure(row, store.name, ours, theirs, name)


def _checked(result: Result, row: Row, server: Server) -> Result:
    if not result.requests:
        raise SystemExit(f"{row.name}: {server.name} gave no right answer: {result.sample}")
    return result


def _figure(row: Row, store: str, ours: list[Result], theirs: list[Result], peer: str | None) -> Figure:
    ratios = [mine.per_s / other.per_s for mine, other in zip(ours, theirs, strict=False)]
    return Figure(
        what=row.what,
        store=store,
        per_s=median(result.per_s for result in ours),
        floor_per_s=row.floor_per_s,
        p50_ms=median(result.p50_ms for result in ours),
        p99_ms=median(result.p99_ms for result in ours),
        limit_ms=row.p99_ms,
        peer=peer,
        peer_per_s=median(result.per_s for result in theirs) if theirs else None,
        ratio=median(ratios) if ratios else None,
        ratio_floor=row.peer.times if row.peer else None,
        busy=max(result.busy for result in ours + theirs),
        faults=sum(result.wrong + result.broken for result in ours + theirs),
        sample=next((result.sample for result in ours + theirs if result.sample), ""),
    )


def offline(runs: int) -> Figure:
    """The offline row, in a process of its own on the server's core."""
    command = pinned(SERVER_CORE, [sys.executable, "-m", "bench.offline", str(runs)])
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
    pairs = msgspec.json.decode(done.stdout, type=list[_Pair])
    return Figure(
        what="offline verification, in process",
        store="none",
        per_s=median(pair.ours_per_s for pair in pairs),
        floor_per_s=OFFLINE_FLOOR_PER_S,
        peer="libsodium",
        peer_per_s=median(pair.libsodium_per_s for pair in pairs),
        ratio=median(pair.ours_per_s / pair.libsodium_per_s for pair in pairs),
        ratio_floor=OFFLINE_SHARE,
    )
