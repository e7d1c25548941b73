"""`clawscope check-config`: the settings in force and where each came from, or every mistake at once."""

from __future__ import annotations

from typing import Annotated

import typer

from clawscope.infra.config import effective
from clawscope.main.commands.connection import DEV_FOLDER, Json
from clawscope.main.output import Output

EPILOG = "Example: clawscope check-config --config clawscope.toml     Exit codes: 0 good, 2 mistakes (each is named)."


def check_config(
    config: Annotated[str | None, typer.Option(metavar="FILE", help="TOML file. Default: environment and defaults alone.")] = None,
    dev: Annotated[bool, typer.Option("--dev", help="As `serve --dev` would run; makes its keys in --data if they are missing.")] = False,
    data: Annotated[str, typer.Option(metavar="DIR", help="Folder of dev mode.")] = str(DEV_FOLDER),
    only_set: Annotated[bool, typer.Option("--set", help="Leave out what stands at its default.")] = False,
    as_json: Json = False,
) -> None:
    """Print every setting with its value and origin; secrets show as ***. Starts nothing and opens no store."""
    # The server's libraries take a second that other commands need not wait.
    from clawscope.main.serve import ServeOptions, load_settings

    with Output(as_json) as out:
        loaded = load_settings(ServeOptions(dev=dev, data=data, config=config))
        rows = [row for row in effective(loaded) if not only_set or row.origin != "default"]
        out.result(rows)
        out.table(("setting", "value", "origin"), [(row.name, f"{row.value} {row.unit}".strip(), row.origin) for row in rows])
