"""The command line: `clawscope …`."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from clawscope import __version__
from clawscope.infra.config.loading import ConfigProblems
from clawscope.kernel.errors import Refusal
from clawscope.main import output
from clawscope.main.commands import add_commands
from clawscope.main.not_ready import NotReadyToStart

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Short-lived, narrow, signed capability tokens for AI agents.",
)
_out = Console()
_err = Console(stderr=True)

Data = Annotated[str, typer.Option("--data", help="Folder for the dev database and keys.")]
ConfigFile = Annotated[str | None, typer.Option("--config", help="TOML file.")]


@app.command()
def serve(
    dev: Annotated[bool, typer.Option("--dev", help="Make keys and a first operator key under the data folder.")] = False,
    data: Data = ".clawscope-dev",
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=64, help="Processes that serve.")] = None,
    clock_confirmed: Annotated[bool, typer.Option("--clock-confirmed", help="Start although the clock is behind the store.")] = False,
) -> None:
    """Start the server. Example: clawscope serve --dev --data .clawscope-dev --port 8787"""
    from clawscope.main import serve as serving

    options = serving.ServeOptions(dev, data, config, host, port, workers, clock_confirmed)
    try:
        serving.run(options, lambda loaded, key: _announce(loaded, key, data))
    except ConfigProblems as problems:
        _stop("The configuration cannot be used:", problems.lines)
    except (NotReadyToStart, ValueError, OSError) as problem:
        _stop("The server cannot start:", [str(problem)])
    except Refusal as refusal:
        _stop("The server cannot start:", [f"{refusal.code.name}: {refusal.detail or refusal.code.message}"])


@app.command()
def migrate(
    config: ConfigFile = None, dev: Annotated[bool, typer.Option("--dev", help="The dev database.")] = False, data: Data = ".clawscope-dev"
) -> None:
    """Bring the database schema to the version this release needs. Example: clawscope migrate --config clawscope.toml"""
    from clawscope.infra.db.migrate import MigrationFailed
    from clawscope.infra.db.migrate import migrate as bring_up
    from clawscope.infra.db.version import HEAD
    from clawscope.main import serve as serving

    try:
        url = serving.load_settings(serving.ServeOptions(dev=dev, data=data, config=config)).sections["db"].url.reveal()
        with _err.status("migrating"):
            asyncio.run(bring_up(url))
    except ConfigProblems as problems:
        _stop("The configuration cannot be used:", problems.lines)
    except MigrationFailed as failed:
        _stop("The schema could not be brought up:", [str(failed)])
    _out.print(f"schema stands at {HEAD}")


@app.command()
def version() -> None:
    """Print the version."""
    _out.print(__version__)


def _announce(loaded: Any, operator_key: str | None, data: str) -> None:
    from clawscope.main.serve import base_url

    url = base_url(loaded.sections["server"])
    _out.print(f"clawscope {__version__} at {url}", soft_wrap=True)
    if operator_key is not None:
        _out.print(f"dev mode: operator key in {data}/dev.json; try:", soft_wrap=True)
        _out.print(
            f"  clawscope token issue --dev {data} --sub did:web:agent.example --aud https://tool.example --scope proxy:call",
            soft_wrap=True,
            highlight=False,
        )


def _stop(title: str, lines: list[str]) -> None:
    _err.print(title, style="bold red")
    for line in lines:
        _err.print(f"  {line}", highlight=False, soft_wrap=True)
    raise typer.Exit(2)


add_commands(app)


def run() -> None:
    """The console entry point."""
    sys.exit(output.run(app))
