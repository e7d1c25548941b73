"""`clawscope keys verify-log` and `smoke`: whether an issuer's key log holds, and whether its public answers agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from clawscope.issuer.usecases.keys.verify_log import UnreadableLog, verify_log
from clawscope.main.commands.connection import Cst, Dev, Json, Key, Url, connect
from clawscope.main.http_client import Answer, Server
from clawscope.main.output import REFUSED, Failure, Output
from clawscope.protocol import strict_json
from clawscope.protocol.key_log import LogReport

VERIFY_EPILOG = "Example: clawscope keys verify-log saved.json     Exit codes: 0 intact, 2 broken or refused, 3 unreachable."
SMOKE_EPILOG = "Example: clawscope keys smoke --issuer https://issuer.example     Exit codes: 0 agree, 2 disagree, 3 unreachable."
_PAGE = 100
_TRIES = 3
_WHY = {
    "sequence": "its number does not follow the one before",
    "link": "it is not linked to the entry before",
    "time": "its time is before that of the entry before",
    "shape": "its members contradict one another",
    "snapshot_hash": "its snapshot hash is not that of its members",
    "entry_hash": "its entry hash is not that of its members",
    "signature": "the token key's signature is not over it",
    "entry_signature": "the statement key's signature is not over it",
    "key_sets": "its lists of keys do not fit together",
    "move": "a key made a move that no key can make",
    "delay": "a key signed before its publish delay, and nothing says it was waived",
    "cut_off": "a key left before its cut-off",
    "statement_key": "the statement key changed without an entry that says so",
}


def verify(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A log saved by --save; without it the server is asked.")] = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Keep what the server told, to check it again offline.")
    ] = None,
    publish_delay: Annotated[
        int | None, typer.Option("--publish-delay", metavar="SECONDS", help="Hold the log to this delay; default: what it promised.")
    ] = None,
    url: Url = None,
    dev: Dev = None,
    key: Key = None,
    token: Cst = None,
    as_json: Json = False,
) -> None:
    """Follow the key log from its beginning: links, hashes, signatures, only legal moves; names the first break."""
    with Output(as_json) as out:
        log = _saved(file) if file is not None else _fetched(connect(url, dev, key, token), out)
        if save is not None:
            save.write_bytes(msgspec.json.encode(log))
        report = _report(log, publish_delay)
        found = {"intact": report.intact, "checked": report.checked, "last_sequence": report.last_sequence, "last_hash": report.last_hash}
        found |= {"broken_at": report.broken_at, "why": report.why, "kid": report.kid}
        out.result(found)
        if report.intact:
            out.say(f"[green]intact[/green]: {report.checked} entries")
            out.facts({"last_sequence": report.last_sequence, "last_hash": report.last_hash})
        else:
            out.say(f"[red]broken[/red] at entry {report.broken_at}: {_WHY.get(report.why or '', report.why)}")
            out.facts({"kid": report.kid} if report.kid else {})
    if not report.intact:
        raise typer.Exit(REFUSED)


def smoke(
    issuer: Annotated[str, typer.Option("--issuer", metavar="URL", help="The issuer to look at.")],
    as_json: Json = False,
) -> None:
    """Look at an issuer as a verifier does: contract, JWKS and latest snapshot must agree."""
    with Output(as_json) as out:
        contract, jwks, latest = _one_view(Server(issuer))
        faults = disagreements(contract, jwks, latest)
        verdicts = {kid: verdict_of(kid, contract) for kid in (*contract["accepted_kids"], *contract["revoked_kids"])}
        out.result({"agree": not faults, "faults": faults, "kids": verdicts})
        out.table(("kid", "verdict"), [[kid, verdict] for kid, verdict in verdicts.items()])
        for fault in faults:
            out.say(f"[red]disagree[/red]: {fault}")
        if not faults:
            out.say("[green]agree[/green]: contract, JWKS and latest snapshot show one key set")
    if faults:
        raise typer.Exit(REFUSED)


def disagreements(contract: dict[str, Any], jwks: dict[str, Any], latest: dict[str, Any]) -> list[str]:
    """Where the three public answers do not show one key set."""
    found = []
    listed = [one["kid"] for one in jwks["keys"]]
    if sorted(listed) != sorted(contract["accepted_kids"]):
        found.append("the JWKS lists other kids than the contract accepts")
    names = ("active_kid", "accepted_kids", "signing_kids", "verify_only_kids", "revoked_kids")
    # A snapshot is of its second: a key whose cut-off has passed since then is gone from the others at once.
    ended = {one["kid"] for one in latest["expiring_kids"]} - {one["kid"] for one in contract["expiring_kids"]}
    standing = {name: [kid for kid in latest[name] if kid not in ended] for name in names[1:]} | {"active_kid": latest["active_kid"]}
    found += [f"{name} of the contract and of the latest snapshot differ" for name in names if contract[name] != standing[name]]
    if contract["active_kid"] is not None and contract["active_kid"] not in listed:
        found.append("the active key is not in the JWKS")
    return found


def verdict_of(kid: str, contract: dict[str, Any]) -> str:
    """What a verifier does with tokens of a kid."""
    if kid in contract["revoked_kids"]:
        return "revoked: refuse"
    if kid == contract["active_kid"]:
        return "active: accept, signs now"
    cut_off = next((one["not_after_unix"] for one in contract["expiring_kids"] if one["kid"] == kid), None)
    return f"verify-only: accept until {cut_off}" if cut_off is not None else "published: accept, does not sign yet"


def _one_view(server: Server) -> tuple[Any, Any, Any]:
    """The three answers at one sequence; a change in between is looked at again."""
    for _ in range(_TRIES):
        answers = [server.fetch(path) for path in ("/v1/keys/rotation-contract", "/v1/jwks", "/v1/keys/transparency/latest")]
        if len({_sequence(answer) for answer in answers}) == 1:
            return answers[0].members(), answers[1].members(), answers[2].members()
    raise Failure("The answers are of different key sets.", code="KEYS_DISAGREE", exit_code=REFUSED)


def _sequence(answer: Answer) -> str | None:
    return answer.headers.get("x-keyset-sequence")


def _fetched(server: Server, out: Output) -> dict[str, Any]:
    snapshots: list[Any] = []
    latest = server.get("/v1/keys/transparency/latest")["sequence"]
    with out.progress() as progress:
        task = progress.add_task("entries", total=latest)
        while True:
            since = snapshots[-1]["sequence"] if snapshots else 0
            page = server.get("/v1/keys/transparency/history", {"since": since, "limit": _PAGE})
            snapshots += page["snapshots"]
            progress.update(task, completed=len(snapshots))
            if page["list_complete"] or not page["snapshots"]:
                break
    # The keys are read after the entries, so that no entry names a key not listed.
    return {"keys": server.get("/v1/keys")["keys"], "snapshots": snapshots}


def _saved(file: Path) -> dict[str, Any]:
    try:
        log = strict_json.parse(file.read_bytes())
    except strict_json.NotJson:
        log = None
    if not isinstance(log, dict) or not isinstance(log.get("keys"), list) or not isinstance(log.get("snapshots"), list):
        raise _unreadable("it is not a saved key log")
    return log


def _report(log: dict[str, Any], publish_delay_s: int | None) -> LogReport:
    snapshots = sorted(log["snapshots"], key=lambda one: one.get("sequence", 0) if isinstance(one, dict) else 0)
    try:
        return verify_log(snapshots, [one for one in log["keys"] if isinstance(one, dict)], publish_delay_s=publish_delay_s)
    except UnreadableLog as unreadable:
        raise _unreadable(str(unreadable)) from None


def _unreadable(why: str) -> Failure:
    fix = "Save one with: clawscope keys verify-log --save FILE"
    return Failure(f"The key log cannot be read: {why}.", code="LOG_UNREADABLE", fix=fix, exit_code=REFUSED)
