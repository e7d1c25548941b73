"""Starting the server: configuration, schema, one or several processes."""

from __future__ import annotations

import asyncio
import json
import logging
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from clawscope.infra.config.environment import put_variable, read_file, variables
from clawscope.infra.config.loading import Loaded, load
from clawscope.infra.config.showing import secrets_of
from clawscope.infra.db.open import sqlite_path
from clawscope.infra.db.sqlite import safe_for_processes
from clawscope.infra.http.settings import ServerSettings
from clawscope.infra.telemetry import logs
from clawscope.infra.telemetry.settings import TelemetrySettings
from clawscope.main.app import Application, Options
from clawscope.main.commands.connection import CLIENT_VARIABLES
from clawscope.main.dev_mode import dev_values, write_entry
from clawscope.main.not_ready import NotReadyToStart
from clawscope.main.settings import SECTIONS

# How the options of the command reach worker processes, which are started afresh.
_HANDOVER = "CLAWSCOPE_SERVE_HANDOVER"


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """The options of `clawscope serve`."""

    dev: bool = False
    data: str = ".clawscope-dev"
    config: str | None = None
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    clock_confirmed: bool = False


def load_settings(options: ServeOptions) -> Loaded:
    """All sections, options first. Raises `ConfigProblems` with every mistake, `OSError` for an unreadable file."""
    text = read_file(Path(options.config)) if options.config else None
    environ = {name: value for name, value in variables().items() if name not in (_HANDOVER, *CLIENT_VARIABLES)}
    for name, value in (("HOST", options.host), ("PORT", options.port), ("WORKERS", options.workers)):
        if value is not None:
            environ[f"CLAWSCOPE_SERVER_{name}"] = str(value)
    dev: dict[str, Any] = {}
    if options.dev:
        first = load(
            {"server": ServerSettings},
            toml_text=_only_server(text),
            environ={k: v for k, v in environ.items() if k.startswith("CLAWSCOPE_SERVER_")},
        )
        dev = dev_values(Path(options.data).resolve(), base_url(first.sections["server"]))
    return load(SECTIONS, toml_text=text, environ=environ, dev_values=dev)


def _only_server(text: str | None) -> str | None:
    """The `[server]` table alone: what dev mode must know before it can fill the rest. Faults are told by the full load."""
    try:
        table = tomllib.loads(text or "").get("server", {})
    except tomllib.TOMLDecodeError:
        return None
    return "[server]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in table.items() if isinstance(value, str | int))


def base_url(server: ServerSettings) -> str:
    """The URL the server is reached at on this machine."""
    host = "127.0.0.1" if server.host in ("0.0.0.0", "::", "") else server.host  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"


def prepare(options: ServeOptions) -> Loaded:
    """Check everything that must stop a start, and in dev mode bring the schema up. Raises `NotReadyToStart`, `ConfigProblems`."""
    loaded = load_settings(options)
    server: ServerSettings = loaded.sections["server"]
    url = loaded.sections["db"].url.reveal()
    if server.workers > 1 and sqlite_path(url) is not None and not safe_for_processes():
        raise NotReadyToStart("this SQLite library may corrupt a file shared by processes: use one worker, or PostgreSQL")
    if not options.dev:
        _check_operator_keys(loaded)
        asyncio.run(_check_schema(url))
        return loaded
    from clawscope.infra.db.migrate import MigrationFailed, migrate

    try:
        asyncio.run(migrate(url))
    except MigrationFailed as failed:
        raise NotReadyToStart(str(failed)) from failed
    return loaded


async def _check_schema(url: str) -> None:
    from clawscope.infra.db.open import open_database
    from clawscope.infra.db.version import HEAD, standing_version

    database = open_database(url)
    standing = await standing_version(database)
    await database.close()
    if standing != HEAD:
        raise NotReadyToStart(f"the database schema is at {standing or 'nothing'}, this version needs {HEAD}: run `clawscope migrate`")


def _check_operator_keys(loaded: Loaded) -> None:
    short = [name for name, key in loaded.sections["issuer"].operator_keys.items() if len(key.reveal()) < 24]
    if short:
        raise NotReadyToStart(f"operator keys {', '.join(short)} are shorter than 24 characters")


def run(options: ServeOptions, announce: Any) -> None:
    """Serve until a signal ends it. `announce(loaded, operator_key)` is called once the address is known."""
    loaded = prepare(options)
    server: ServerSettings = loaded.sections["server"]
    key = None
    if options.dev:
        issuer = loaded.sections["issuer"]
        key = write_entry(Path(options.data).resolve(), base_url(server), issuer.url, issuer.operator_keys)
    put_variable(_HANDOVER, json.dumps(asdict(options)))
    config = uvicorn.Config(
        "clawscope.main.serve:create", factory=True, host=server.host, port=server.port, workers=server.workers, loop="uvloop",
        http="httptools",
        log_config=None, access_log=False, server_header=False, date_header=False, proxy_headers=False,
        timeout_graceful_shutdown=10, lifespan="on",
        backlog=2048, h11_max_incomplete_event_size=64 * 1024, ws="none",
    )  # fmt: skip
    if server.workers > 1:
        listening = config.bind_socket()
        announce(loaded, key)
        Multiprocess(config, [listening]).run()
        return
    announce(loaded, key)
    uvicorn.Server(config).run()


def create() -> Any:
    """The application of one process, from the handed-over options: uvicorn's factory."""
    options = ServeOptions(**json.loads(variables()[_HANDOVER]))
    loaded = load_settings(options)
    telemetry: TelemetrySettings = loaded.sections["telemetry"]
    logging.getLogger("uvicorn.access").disabled = True
    logs.configure(telemetry.log_level, telemetry.log_format == "json", secrets=secrets_of(loaded))

    def reread() -> Any:
        return load_settings(options).sections["issuer"]

    return Application(loaded, Options(options.dev, options.clock_confirmed), reread=reread).asgi()
