"""`clawscope keys`: list and move signing keys; every move shows its plan and asks first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from clawscope.kernel.clock import iso_ms
from clawscope.main.commands import key_log
from clawscope.main.commands.connection import Cst, Dev, Json, Key, Url, connect
from clawscope.main.http_client import Server
from clawscope.main.output import REFUSED, Failure, Output

app = typer.Typer(help="List, rotate and revoke signing keys; check the key log.", no_args_is_help=True)
app.command("verify-log", epilog=key_log.VERIFY_EPILOG)(key_log.verify)
app.command("smoke", epilog=key_log.SMOKE_EPILOG)(key_log.smoke)

Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's id, as `keys list` shows it.")]
Purpose = Annotated[str, typer.Option(help="token, statement, receipt or policy.")]
Reason = Annotated[str, typer.Option(help="Why; goes to log, audit and event.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_EPILOG = "Exit codes: 0 done, 2 refused, 3 unreachable."


@app.command("list", epilog=_EPILOG)
def list_keys(
    purpose: Annotated[str | None, typer.Option(help="Only keys of this purpose.")] = None,
    url: Url = None,
    dev: Dev = None,
    key: Key = None,
    token: Cst = None,
    as_json: Json = False,
) -> None:
    """Show every key ever known and its state."""
    with Output(as_json) as out:
        answer = connect(url, dev, key, token).get("/v1/keys", {"purpose": purpose})
        out.result(answer)
        rows = [[one["kid"], one["purpose"], one["state"], _until(one), one["reason"]] for one in answer["keys"]]
        out.table(("kid", "purpose", "state", "until", "reason"), rows)


@app.command(epilog=_EPILOG)
def prepare(
    reason: Reason,
    purpose: Purpose = "token",
    kid: Annotated[str | None, typer.Option(help="Name it; default: by the server's kid rule.")] = None,
    yes: Yes = False,
    url: Url = None,
    dev: Dev = None,
    key: Key = None,
    token: Cst = None,
    as_json: Json = False,
) -> None:
    """Make a key and publish it; it signs only after `keys activate`."""
    body = {"purpose": purpose, "reason": reason} | ({"kid": kid} if kid is not None else {})
    with Output(as_json) as out:
        _move(connect(url, dev, key, token), out, "/v1/keys/prepare", body, yes)


@app.command(epilog=_EPILOG)
def rotate(
    reason: Reason,
    purpose: Purpose = "token",
    yes: Yes = False,
    url: Url = None,
    dev: Dev = None,
    key: Key = None,
    token: Cst = None,
    as_json: Json = False,
) -> None:
    """Publish a successor that takes over by itself once every reader can know it."""
    with Output(as_json) as out:
        _move(connect(url, dev, key, token), out, "/v1/keys/rotate", {"purpose": purpose, "reason": reason}, yes)


@app.command(epilog=_EPILOG)
def activate(
    kid: Kid, reason: Reason, yes: Yes = False, url: Url = None, dev: Dev = None, key: Key = None, token: Cst = None, as_json: Json = False
) -> None:
    """Let a published key sign."""
    with Output(as_json) as out:
        _move(connect(url, dev, key, token), out, _path(kid, "activate"), {"reason": reason}, yes)


@app.command(epilog=_EPILOG)
def retire(
    kid: Kid, reason: Reason, yes: Yes = False, url: Url = None, dev: Dev = None, key: Key = None, token: Cst = None, as_json: Json = False
) -> None:
    """Take a key out of use: one past its cut-off, or a prepared one."""
    with Output(as_json) as out:
        _move(connect(url, dev, key, token), out, _path(kid, "retire"), {"reason": reason}, yes)


@app.command(epilog=_EPILOG)
def revoke(
    kid: Kid, reason: Reason, yes: Yes = False, url: Url = None, dev: Dev = None, key: Key = None, token: Cst = None, as_json: Json = False
) -> None:
    """Emergency: refuse every token of a key at once, and let another key sign."""
    with Output(as_json) as out:
        _move(connect(url, dev, key, token), out, _path(kid, "revoke"), {"reason": reason}, yes)


@app.command("import", epilog="Example: clawscope keys import --verify-only 11qYAYKx… --not-after 1800003720 --reason 'former system'")
def import_key(
    verify_only: Annotated[str, typer.Option("--verify-only", metavar="X", help="The public key, base64url.")],
    not_after: Annotated[int, typer.Option("--not-after", metavar="SECONDS", help="Its cut-off in epoch seconds.")],
    reason: Reason,
    kid: Annotated[str | None, typer.Option(help="The kid its tokens name; default: by the server's kid rule.")] = None,
    yes: Yes = False,
    url: Url = None,
    dev: Dev = None,
    key: Key = None,
    token: Cst = None,
    as_json: Json = False,
) -> None:
    """Accept the tokens of a former key until its cut-off."""
    body = {"x": verify_only, "not_after_unix": not_after, "reason": reason} | ({"kid": kid} if kid is not None else {})
    planned = [{"purpose": "token", "to_state": "verify_only", "at": "now", "not_after_unix": not_after} | ({"kid": kid} if kid else {})]
    with Output(as_json) as out:
        server = connect(url, dev, key, token)
        _ask(out, planned, None, yes)
        _done(out, server.post("/v1/keys/import", body))


def _move(server: Server, out: Output, path: str, body: dict[str, Any], yes: bool) -> None:
    """Show the plan, ask, do it."""
    if not yes:
        plan = server.post(f"{path}?dry_run=true", body)
        _ask(out, plan["moves"], plan.get("live_tokens"), yes)
    _done(out, server.post(path, body))


def _ask(out: Output, moves: Sequence[dict[str, Any]], live_tokens: int | None, yes: bool) -> None:
    if yes:
        return
    if out.as_json:
        raise Failure("--json cannot ask.", code="USAGE", fix="Add --yes.", exit_code=REFUSED)
    rows = [
        [str(one.get("kid", "(a new key)")), one["purpose"], f"{one.get('from_state', '-')} → {one['to_state']}", _when(one)]
        for one in moves
    ]
    out.table(("kid", "purpose", "move", "when"), rows or [["-", "-", "nothing is to be done", "-"]])
    if live_tokens:
        out.say(f"[red]{live_tokens} live token(s) die at once.[/red]")
    if not typer.confirm("Do it?", default=False, err=True):
        raise Failure("Nothing was done.", code="NOT_CONFIRMED", exit_code=REFUSED)


def _done(out: Output, answer: dict[str, Any]) -> None:
    out.result(answer)
    out.facts(answer)


def _path(kid: str, verb: str) -> str:
    return f"/v1/keys/{quote(kid, safe='')}/{verb}"


def _until(one: dict[str, Any]) -> str:
    return iso_ms(one["not_after_unix"]) if "not_after_unix" in one else ""


def _when(one: dict[str, Any]) -> str:
    at = one["at"] if isinstance(one["at"], str) else iso_ms(one["at"])
    until = f", accepted until {iso_ms(one['not_after_unix'])}" if "not_after_unix" in one else ""
    return at + until + (", before its delay" if one.get("delay_waived") else "")
