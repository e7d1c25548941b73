"""`clawscope demo`: walk the main job against a running server, or against a fresh one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from clawscope.kernel.secret import Secret
from clawscope.main.commands.connection import Dev, Json, Key, Url, connect
from clawscope.main.commands.demo_steps import STEPS, Step, Walk
from clawscope.main.commands.dev_server import fresh_server
from clawscope.main.http_client import Server
from clawscope.main.output import FAILED, REFUSED, Failure, Output

EPILOG = "Example: clawscope demo --dev .clawscope-dev     Exit codes: 0 every step went well, 1 one did not, 2 refused, 3 unreachable."


def demo(url: Url = None, dev: Dev = None, key: Key = None, as_json: Json = False) -> None:
    """Walk the main job and show what each step proves.

    Without --url or --dev a fresh dev server is started in a temporary folder and stopped again. A server that is named must
    let an operator key revoke (protected_auth_mode either); one revoked token and its child stay in its audit.
    """
    with Output(as_json) as out, TemporaryDirectory(prefix="clawscope-demo-") as made:
        folder = Path(made)
        done: list[dict[str, Any]] = []
        with _server(url, dev, key, folder, out) as server:
            walk = Walk(server, Server(server.base_url), folder, out)
            for number, step in enumerate(STEPS, start=1):
                done.append(_taken(walk, number, step))
                if not done[-1]["ok"]:
                    break
        good = len(done) == len(STEPS) and done[-1]["ok"]
        out.result({"ok": good, "steps": done})
        out.say(f"[green]All {len(done)} steps went well.[/green]" if good else "[red]The walk stopped here.[/red]")
    if not good:
        raise typer.Exit(FAILED)


@contextmanager
def _server(url: str | None, dev: Path | None, key: str | None, folder: Path, out: Output) -> Iterator[Server]:
    if url is None and dev is None:
        out.note("Starting a fresh dev server in a temporary folder.")
        with fresh_server(folder) as found:
            yield Server(found.base_url, Secret(found.operator_key or ""))
        return
    server = connect(url, dev, key, None)
    if not server.has_credential:
        raise Failure("The demo needs an operator key.", code="USAGE", fix="Give --dev DIR, --key, or CLAWSCOPE_KEY.", exit_code=REFUSED)
    yield server


def _taken(walk: Walk, number: int, step: Step) -> dict[str, Any]:
    """Take one step and tell how it went."""
    told: dict[str, Any] = {"number": number, "title": step.title}
    try:
        facts = step.do(walk)
    except Failure as failure:
        walk.out.say(f"\n[red]✗[/red] [bold]{number}. {step.title}[/bold]")
        walk.out.facts(
            {"what went wrong": f"{failure.code}: {failure.message}", "what to do": failure.fix or "Look at the server's log."}, indent=3
        )
        return told | {"ok": False, **failure.as_object()}
    walk.out.say(f"\n[green]✓[/green] [bold]{number}. {step.title}[/bold]")
    walk.out.facts(facts, indent=3)
    walk.out.say(f"   [italic]{step.proves}[/italic]")
    return told | {"ok": True, "proves": step.proves, "facts": facts}
