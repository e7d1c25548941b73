"""What the runs need beforehand: bodies in files, one per line, and tokens issued before the clock starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.cores import LOAD_CORE, pinned
from bench.load import Job, Result
from bench.servers import Server

AUDIENCE = "https://clawproxy.example"
SCOPE = "clawproxy:call:openai"
SUBJECT = "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw"
JSON = {"Content-Type": "application/json"}
EXCHANGE_FORM = (
    f"grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token_type=urn:ietf:params:oauth:token-type:jwt&scope={SCOPE}"
)
PREFLIGHT = (
    f'{{"lane":"legacy","sub":"{SUBJECT}","aud":"{AUDIENCE}","scope":["{SCOPE}"],"ttl_sec":600,'
    '"reason":"benchmark","evidence_required":[]}'
)
_CHUNK = 10_000
_PATIENCE_S = 600.0
_STOCK_TTL_S = 3600


class _Issued(msgspec.Struct):
    token: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often: `runs` of `seconds` after `warm_s`; `batch` tokens for a run that must not repeat one."""

    runs: int
    seconds: float
    warm_s: float
    batch: int


@dataclass(frozen=True, slots=True)
class Scene:
    """One run: the server that is asked, the row's folder, the plan, and which run it is, from 0."""

    server: Server
    folder: Path
    plan: Plan
    run: int

    def job(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        file: Path | None,
        *,
        contains: str = "",
        status: int = 200,
        batch_of: int | None = None,
    ) -> Job:
        """The job of this run; with `batch_of` it sends that batch of the file, each body once."""
        return Job(
            port=self.server.port,
            method=method,
            path=path,
            headers=headers,
            bodies_file=None if file is None else str(file),
            first=0 if batch_of is None else batch_of * self.plan.batch,
            count=None if batch_of is None else self.plan.batch,
            once=batch_of is not None,
            warm_s=self.plan.warm_s,
            seconds=self.plan.seconds,
            status=status,
            contains=contains,
        )


def issue_body(ttl_s: int = 600) -> str:
    """The request for one token in the legacy lane."""
    return f'{{"sub":"{SUBJECT}","aud":"{AUDIENCE}","scope":["{SCOPE}"],"ttl_sec":{ttl_s}}}'


def bodies(file: Path, lines: list[str]) -> Path:
    """Write bodies to a file, one per line."""
    file.write_text("\n".join(lines) + "\n")
    return file


def load(job: Job, folder: Path) -> Result:
    """Run a job in a process of its own on the load's core."""
    file = folder / "job.json"
    file.write_bytes(msgspec.json.encode(job))
    command = pinned(LOAD_CORE, [sys.executable, "-m", "bench.load", str(file)])
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
    return msgspec.json.decode(done.stdout, type=Result)


def preissue(scene: Scene, count: int, line: Callable[[str], str]) -> None:
    """Issue distinct tokens and write one body for each to `stock.txt`. Raises `SystemExit` when an issue fails."""
    folder, server = scene.folder, scene.server
    wanted, answers = folder / "wanted.txt", folder / "answers.txt"
    with (folder / "stock.txt").open("w") as stock:
        for first in range(0, count, _CHUNK):
            size = min(_CHUNK, count - first)
            bodies(wanted, [issue_body(_STOCK_TTL_S)] * size)
            job = Job(
                port=server.port,
                method="POST",
                path="/v1/tokens/issue",
                headers=JSON | server.headers,
                bodies_file=str(wanted),
                once=True,
                seconds=_PATIENCE_S,
                contains='"token":"',
                collect_file=str(answers),
            )
            result = load(job, folder)
            if result.wrong or result.broken or result.requests != size:
                raise SystemExit(f"issuing tokens for the benchmark failed: {result.sample}")
            for answer in answers.read_bytes().splitlines():
                stock.write(line(msgspec.json.decode(answer, type=_Issued).token) + "\n")
