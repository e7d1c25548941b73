"""Which server a command speaks to, and as whom: options first, then a dev server's file, then the environment."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from clawscope.infra.config import environment
from clawscope.kernel.secret import Secret
from clawscope.main.http_client import Server
from clawscope.main.output import REFUSED, Failure

DEV_FOLDER = Path(".clawscope-dev")
URL_VARIABLE = "CLAWSCOPE_URL"
KEY_VARIABLE = "CLAWSCOPE_KEY"
CLIENT_VARIABLES = frozenset((URL_VARIABLE, KEY_VARIABLE))
"""Variables that name no setting of a server."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help=f"The server. Default: --dev, {URL_VARIABLE}, {DEV_FOLDER}/dev.json.")
]
Dev = Annotated[
    Path | None, typer.Option("--dev", metavar="DIR", help="Take URL and operator key from DIR/dev.json, as `serve --dev` wrote it.")
]
Key = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help=f"Operator key; better in {KEY_VARIABLE}, where `ps` does not show it.")
]
Cst = Annotated[str | None, typer.Option("--token", metavar="CST", help="Call with a capability token instead of an operator key.")]


class DevServer(msgspec.Struct, frozen=True):
    """What `serve --dev` leaves in `dev.json` for scripts."""

    base_url: str
    issuer: str
    operator_key: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """The server's URL and the credential, where there is one."""

    url: str
    credential: Secret | None


def connect(url: str | None, dev: Path | None, key: str | None, cst: str | None) -> Server:
    """The server the options mean. Raises `Failure` if nothing names one."""
    found = target(url, dev, key, cst, environment.variables())
    return Server(found.url, found.credential)


def target(url: str | None, dev: Path | None, key: str | None, cst: str | None, variables: dict[str, str]) -> Target:
    """URL and credential by precedence.

    1. `--url`, `--dev`, CLAWSCOPE_URL, `.clawscope-dev/dev.json`. 2. `--token`, `--key`, the key beside the URL in dev.json,
    CLAWSCOPE_KEY. A dev server's key goes to that dev server alone.
    """
    given = _stated(cst, "--token") or _stated(key, "--key")
    from_environment = variables.get(KEY_VARIABLE) or None
    if url is not None and dev is None:
        return _target(url, given or from_environment)  # 1
    if dev is None and variables.get(URL_VARIABLE):
        return _target(variables[URL_VARIABLE], given or from_environment)
    beside = read_dev_file(dev or DEV_FOLDER, asked_for=dev is not None)
    return _target(url or beside.base_url, given or (beside.operator_key if url in (None, beside.base_url) else from_environment))  # 2


def read_dev_file(folder: Path, *, asked_for: bool = True) -> DevServer:
    """What `folder/dev.json` says. Raises `Failure` if it is not there or not such a file."""
    path = folder / "dev.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=DevServer)
    except FileNotFoundError:
        if asked_for:
            raise Failure(
                f"There is no {path}.", code="USAGE", fix=f"Start the server: clawscope serve --dev --data {folder}", exit_code=REFUSED
            ) from None
        fix = f"Give --url, set {URL_VARIABLE}, or start one here: clawscope serve --dev"
        raise Failure("No server is named.", code="USAGE", fix=fix, exit_code=REFUSED) from None
    except msgspec.DecodeError:
        fix = "Let `clawscope serve --dev` write it anew."
        raise Failure(f"{path} is not what `serve --dev` writes.", code="USAGE", fix=fix, exit_code=REFUSED) from None


def read_token(argument: str) -> str:
    """The token of an argument; `-` reads one line from standard input, so that it stays out of the process list."""
    text = sys.stdin.readline().strip("\r\n") if argument == "-" else argument
    if not text:
        raise Failure("No token was given.", code="USAGE", fix="Give the token, or - to read it from standard input.", exit_code=REFUSED)
    return text


def _target(url: str, credential: str | None) -> Target:
    return Target(url, Secret(credential) if credential else None)


def _stated(value: str | None, option: str) -> str | None:
    if value is not None and (not value.strip() or not value.isascii() or not value.isprintable()):
        raise Failure(
            f"{option} is blank or holds characters no credential has.", code="USAGE", fix=f"Give {option} a value.", exit_code=REFUSED
        )
    return value
