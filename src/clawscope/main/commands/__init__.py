"""The commands of `clawscope`, one file for each group; `add_commands` puts them on the command line."""

from __future__ import annotations

import typer

from clawscope.main.commands import audit, check_config, demo, keys, openapi, token, verify


def add_commands(app: typer.Typer) -> None:
    """Add `token`, `keys`, `audit`, `verify`, `demo`, `check-config` and `openapi`."""
    app.add_typer(token.app, name="token")
    app.add_typer(keys.app, name="keys")
    app.add_typer(audit.app, name="audit")
    app.add_typer(verify.app, name="verify")
    app.command("demo", epilog=demo.EPILOG)(demo.demo)
    app.command("check-config", epilog=check_config.EPILOG)(check_config.check_config)
    app.command("openapi", epilog=openapi.EPILOG)(openapi.openapi)
