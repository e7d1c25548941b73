"""Runs the benchmark and prints the table: `python -m bench.run --quick`, or `--postgres --write` for docs/benchmarks.md.

Exit status 0 when every row passes, 1 when one fails.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Figure, measure, offline
from bench.report import page, table
from bench.rows import ROWS
from bench.stock import Plan
from bench.store import stores

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
FULL = Plan(runs=5, seconds=30.0, warm_s=2.0, batch=30_000)
QUICK = Plan(runs=3, seconds=3.0, warm_s=0.5, batch=8_000)


def arguments(given: list[str]) -> argparse.Namespace:
    """Read the command line."""
    names = ["offline", *(row.name for row in ROWS)]
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds per row")
    parser.add_argument("--runs", type=int, help="runs per row (median is shown)")
    parser.add_argument("--seconds", type=float, help="seconds per run")
    parser.add_argument("--batch", type=int, help="tokens for a run that must not repeat one")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="ROW", help=", ".join(names))
    parser.add_argument("--postgres", action="store_true", help="run every row on PostgreSQL too")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    return parser.parse_args(given)


def planned(options: argparse.Namespace) -> Plan:
    """The plan the options ask for."""
    start = QUICK if options.quick else FULL
    return Plan(options.runs or start.runs, options.seconds or start.seconds, start.warm_s, options.batch or start.batch)


def figures(options: argparse.Namespace, plan: Plan, folder: Path) -> Iterator[Figure]:
    """Every figure asked for, as it is done."""
    if "offline" in options.only:
        yield offline(plan.runs)
    with stores(folder, postgres=options.postgres) as chosen:
        for store in chosen:
            for row in ROWS:
                if row.name in options.only:
                    yield measure(row, store, folder / f"{store.name}-{row.name}", plan)


def main() -> int:
    """Run, print, write; tell whether all passed."""
    options = arguments(sys.argv[1:])
    plan = planned(options)
    done: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="clawscope-bench-") as folder:
        for figure in figures(options, plan, Path(folder)):
            done.append(figure)
            verdict = "PASS" if figure.passed else f"FAIL {figure.sample}"
            sys.stderr.write(f"{figure.what} ({figure.store}): {figure.per_s:,.0f}/s {verdict}\n")
    sys.stdout.write(table(done) + "\n")
    if options.write:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(done, plan, shlex.join(["python", "-m", "bench.run", *sys.argv[1:]])))
    return 0 if all(figure.passed for figure in done) else 1


if __name__ == "__main__":
    sys.exit(main())
