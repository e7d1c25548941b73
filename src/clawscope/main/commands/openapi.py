"""`clawscope openapi`: the OpenAPI document of every route, without starting a server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import msgspec
import typer

from clawscope import __version__
from clawscope.infra.config import load
from clawscope.main.commands.connection import Json
from clawscope.main.dev_mode import dev_values
from clawscope.main.output import Output

EPILOG = "Example: clawscope openapi --out openapi.json"


def openapi(
    out_file: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write. Default: standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Print the OpenAPI 3.1 document, the same a server answers at /openapi.json."""
    with Output(as_json) as out:
        text = msgspec.json.format(msgspec.json.encode(described()), indent=2)
        if out_file is None:
            out.text(text.decode())
            return
        out_file.write_bytes(text + b"\n")
        out.result({"file": str(out_file)})
        out.say(f"Wrote {out_file}")


def described() -> dict[str, Any]:
    """The document, from the declared routes."""
    from clawscope.infra.http.openapi import document  # the server's libraries take a second that other commands need not wait

    return document(declared_endpoints(), __version__)


def declared_endpoints() -> list[Any]:
    """Every route, of an application that is put together and never started."""
    from clawscope.main.app import Application, Options
    from clawscope.main.settings import SECTIONS

    with TemporaryDirectory(prefix="clawscope-openapi-") as folder:
        loaded = load(SECTIONS, toml_text=None, environ={}, dev_values=dev_values(Path(folder), "https://issuer.example"))
        application = Application(loaded, Options(dev=True))
        found = application.endpoints()
        asyncio.run(application.database.close())
    return list(found)
