"""`clawscope verify token`: judge a token without the issuer, from keys and a revocation snapshot taken earlier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from clawscope.kernel.clock import SystemClock, iso_ms
from clawscope.main.commands.connection import Cst, Dev, Json, Key, connect, read_token
from clawscope.main.commands.evidence import NO_KEYS, Evidence, default_folder
from clawscope.main.http_client import Server
from clawscope.main.output import DONE, REFUSED, Failure, Output
from clawscope.protocol import codes
from clawscope.protocol.binding import Expectation
from clawscope.protocol.offline import Verdict

INVALID, REVOKED, NO_VIEW = 3, 4, 5
_BINDINGS = ("run_id", "job_id", "policy_hash_b64u")
_EPILOG = (
    "Example: clawscope verify token - --cache ./evidence --fetch https://issuer.example < token.txt     "
    "Exit codes: 0 valid, 2 wrong usage, 3 refused (forged, expired, not for this), 4 revoked, "
    "5 revocation view stale or missing, 6 no keys."
)

app = typer.Typer(help="Verify tokens offline.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Verify tokens offline."""


@app.command(epilog=_EPILOG)
def token(
    text: Annotated[str, typer.Argument(metavar="TOKEN|-", help="The token, or - to read it from standard input.")],
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder with one issuer's evidence. Default: ~/.cache/clawscope/verify.")
    ] = None,
    fetch: Annotated[str | None, typer.Option(metavar="URL", help="First refresh keys, and the snapshot if a credential allows.")] = None,
    dev: Dev = None,
    key: Key = None,
    cst: Cst = None,
    issuer: Annotated[
        str | None, typer.Option(metavar="URL", help="The only issuer to believe. Default: the one the evidence is from.")
    ] = None,
    max_staleness: Annotated[int, typer.Option(metavar="SECONDS", min=1, help="Oldest revocation view to rely on.")] = 30,
    aud: Annotated[list[str] | None, typer.Option(help="Expect one of these audiences.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="Expect all of these scopes.")] = None,
    run: Annotated[str | None, typer.Option(help="The run the token is used in.")] = None,
    job: Annotated[str | None, typer.Option(help="The job the token is used in.")] = None,
    mission: Annotated[str | None, typer.Option(help="The mission the token is used in.")] = None,
    policy_hash: Annotated[str | None, typer.Option(help="The policy in force, hex or base64url.")] = None,
    require: Annotated[list[str] | None, typer.Option(help=f"A binding the token must have: {', '.join(_BINDINGS)}.")] = None,
    as_json: Json = False,
) -> None:
    """Verify a token from cached evidence: signature, claims, times, expectations, revocation. Asks nobody without --fetch or --dev."""
    with Output(as_json) as out:
        presented = read_token(text)
        stated = {"aud": aud, "scope": scope, "run_id": run, "job_id": job, "mission_id": mission}
        expect = _expectation(stated | {"policy_hash_b64u": policy_hash, "require": require})
        now = SystemClock().now()
        evidence = Evidence.load(cache or default_folder())
        remarks = _refresh(evidence, connect(fetch, dev, key, cst), now) if fetch is not None or dev is not None else []
        verdict = evidence.verifier(issuer=issuer, max_staleness_s=max_staleness).verify(presented, now, expect)
        exit_code = _tell(out, verdict, remarks, now)
    if exit_code != DONE:
        raise typer.Exit(exit_code)


def _expectation(stated: dict[str, Any]) -> Expectation | None:
    given = {name: value for name, value in stated.items() if value}
    if not set(given.get("require", ())) <= set(_BINDINGS):
        raise Failure(f"--require takes {', '.join(_BINDINGS)}.", code="USAGE", fix="See: clawscope verify token --help", exit_code=REFUSED)
    return msgspec.convert(given, Expectation) if given else None


def _refresh(evidence: Evidence, server: Server, now: int) -> list[dict[str, Any]]:
    """What could not be refreshed, and why: older evidence is used as far as it goes."""
    remarks = []
    try:
        evidence.refresh_keys(server, now)
        if server.has_credential:
            evidence.refresh_snapshot(server, now)
        else:
            fix = "Give --key, --token or CLAWSCOPE_KEY with control:revocations:read."
            remarks.append(
                Failure("The revocation snapshot was not fetched: it needs a credential.", code="NO_CREDENTIAL", fix=fix).as_object()
            )
    except Failure as failure:
        if failure.code == "USAGE":
            raise
        remarks.append(failure.as_object())
    return [{name: value for name, value in remark.items() if name != "exit_code"} for remark in remarks]


def _judgement(verdict: Verdict) -> tuple[int, str]:
    if verdict.outcome == "refused":
        revoked = verdict.denied is not None and verdict.denied.code is codes.TOKEN_REVOKED
        return (REVOKED, "revoked") if revoked else (INVALID, "refused")
    return {"ok": (DONE, "valid"), "no_keys": (NO_KEYS, "no_keys"), "no_view": (NO_VIEW, "no_view"), "stale_view": (NO_VIEW, "stale_view")}[
        verdict.outcome
    ]


def _report(verdict: Verdict, word: str, exit_code: int, remarks: list[dict[str, Any]]) -> dict[str, Any]:
    denied, verified = verdict.denied, verdict.verified
    found: dict[str, Any] = {"outcome": word, "valid": verdict.good, "exit_code": exit_code}
    if denied is not None:
        found |= {"code": denied.code.name, "message": denied.detail or denied.code.message}
        found |= {"field": denied.field} if denied.field else {}
    if verdict.hit is not None:
        found |= {"revoked_by_kind": verdict.hit.kind, "revoked_at": verdict.hit.revoked_at}
    found |= {"view_as_of": verdict.as_of, "view_sequence": verdict.sequence}
    if verified is not None:
        found |= {"kid": verified.kid, "token_hash": verified.token_hash, "claims": verified.claims}
    return found | ({"not_refreshed": remarks} if remarks else {})


def _tell(out: Output, verdict: Verdict, remarks: list[dict[str, Any]], now: int) -> int:
    """Print the verdict; the exit code."""
    exit_code, word = _judgement(verdict)
    out.result(_report(verdict, word, exit_code, remarks))
    for remark in remarks:
        out.note(" ".join(filter(None, (remark["message"], remark.get("fix")))))
    out.say(_sentence(verdict, word, now))
    if verdict.verified is not None:
        claims = msgspec.to_builtins(verdict.verified.claims)
        out.facts({"kid": verdict.verified.kid, "token_hash": verdict.verified.token_hash, **claims})
    return exit_code


def _sentence(verdict: Verdict, word: str, now: int) -> str:
    view = (
        f"revocations up to row {verdict.sequence}, {now - verdict.as_of} s old ({iso_ms(verdict.as_of)})"
        if verdict.as_of
        else "no revocation view"
    )
    if verdict.good:
        return f"[green]valid[/green]: signature, claims and times hold; nothing revoked it ({view})"
    if word == "no_keys":
        return "[yellow]undecided, so refused[/yellow]: no issuer's keys are in the cache; fill it with --fetch URL"
    if word in ("no_view", "stale_view"):
        return (
            f"[yellow]undecided, so refused[/yellow]: the token is good in itself, but there is {view}; use --fetch URL with a credential"
        )
    denied = verdict.denied
    return f"[red]{word}[/red]" + (f": {denied.code.name}: {denied.detail or denied.code.message}" if denied else "")
