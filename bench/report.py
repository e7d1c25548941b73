"""The table as text, the same on the terminal and in docs/benchmarks.md."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path

import pysqlite3

from bench.cores import separate
from bench.measure import Figure
from bench.servers import HERE, binary, wsgi_server
from bench.stock import Plan

_HEAD = (
    "what",
    "store",
    "per second",
    "floor",
    "p50 ms",
    "p99 ms",
    "p99 limit",
    "peer",
    "peer per second",
    "ratio",
    "ratio floor",
    "load busy",
    "verdict",
)
_PAGE = """# Benchmarks

Made by `{command}`.

Every figure is the median of {runs} runs of {seconds:g} s after {warm:g} s of warm-up, 32 connections on loopback,
{cores}. Clawscope and the peer take turns within each run, each started anew;
a ratio is the median of the runs' ratios. A run that may not repeat a token ({batch} tokens each) ends with its last token.

{table}

- *issue* and *exchange*: the audit row is committed with fsync before the answer; oidc-provider keeps its tokens in memory and signs
  EdDSA JWTs too.
- *never seen*: the signature of every token is checked; Authlib's peer checks one EdDSA signature per request as well and runs in Flask
  on {wsgi}.
- *seen before*: the revocation watermark is read from the store for each answer; oidc-provider looks opaque tokens up in memory.
- *offline*: `clawscope.protocol.verify_token.verify` of distinct tokens under one key, beside libsodium's `crypto_sign_open` of the
  same bytes, taking turns in one process.
- *load busy*: the largest share of its core the load generator used in any run; near 1 it would be the limit itself.

Measured with {versions} on {machine}.
"""


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table, columns aligned."""
    rows = [_HEAD, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.what,
        figure.store,
        _number(figure.per_s, 0),
        _number(figure.floor_per_s, 0),
        _number(figure.p50_ms, 2),
        _number(figure.p99_ms, 2),
        _number(figure.limit_ms, 0),
        figure.peer or "",
        _number(figure.peer_per_s, 0),
        _number(figure.ratio, 2),
        _number(figure.ratio_floor, 2),
        _number(figure.busy, 2),
        ("PASS" if figure.passed else "FAIL") + (f", {figure.faults} wrong answers" if figure.faults else ""),
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}".replace(",", " ")


def page(figures: list[Figure], plan: Plan, command: str) -> str:
    """The whole of docs/benchmarks.md."""
    names = ("litestar", "uvicorn", "SQLAlchemy", "PyNaCl", "Authlib", "joserfc", "Flask")
    versions = [f"CPython {platform.python_version()}", f"SQLite {pysqlite3.sqlite_version}"]
    versions += [f"{name} {importlib.metadata.version(name)}" for name in names]
    versions += [f"oidc-provider {_locked('oidc-provider')}", f"node {_node()}"]
    return _PAGE.format(
        command=command,
        runs=plan.runs,
        seconds=plan.seconds,
        warm=plan.warm_s,
        batch=plan.batch,
        cores="one core for the server, one for the load" if separate() else "server and load sharing the cores (no core of their own)",
        table=table(figures),
        wsgi=wsgi_server(),
        versions=", ".join(versions),
        machine=_machine(),
    )


def _locked(package: str) -> str:
    lock = json.loads((HERE / "peers" / "oidc" / "package-lock.json").read_text())
    return str(lock["packages"][f"node_modules/{package}"]["version"])


def _node() -> str:
    return subprocess.run([binary("node"), "--version"], check=True, capture_output=True, text=True).stdout.strip().removeprefix("v")


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {platform.system()}"
