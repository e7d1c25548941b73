"""`clawscope token`: issue, introspect and revoke over HTTP; inspect without a server and without trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
import typer

from clawscope.main.commands.connection import Cst, Dev, Json, Key, Url, connect, read_token
from clawscope.main.http_client import Members, Refused
from clawscope.main.output import FAILED, REFUSED, Failure, Output
from clawscope.protocol import jws
from clawscope.protocol.token import hash_of
from clawscope.protocol.verdict import Denied

app = typer.Typer(help="Issue, introspect, revoke and inspect capability tokens.", no_args_is_help=True)

Token = Annotated[str, typer.Argument(metavar="TOKEN|-", help="The token, or - to read it from standard input.")]
_CHAIN = "Canonical lane"
_CLAIMS = "Claims"


@app.command(
    epilog="Example: clawscope token issue --sub did:key:z6Mk… --aud https://model.example --scope proxy:call --ttl 600",
)
def issue(
    sub: Annotated[str, typer.Option(help="Who may act: a DID, or scheme:value in the legacy lane.")],
    aud: Annotated[list[str], typer.Option(help="Where; repeat for several.")],
    scope: Annotated[list[str], typer.Option(help="What; repeat for several.")],
    ttl: Annotated[int | None, typer.Option(metavar="SECONDS", help="How long. Default: the server's.")] = None,
    tier: Annotated[str | None, typer.Option(help="Tier of the policy. Default: the server's.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="DID", rich_help_panel=_CHAIN)] = None,
    controller: Annotated[str | None, typer.Option(metavar="DID", rich_help_panel=_CHAIN)] = None,
    agent: Annotated[str | None, typer.Option(metavar="DID", help="Default: --sub.", rich_help_panel=_CHAIN)] = None,
    lane: Annotated[
        str | None, typer.Option(help="canonical or legacy. Default: canonical with --owner and --controller.", rich_help_panel=_CHAIN)
    ] = None,
    mission: Annotated[str | None, typer.Option(help="Correlates; binds nothing.", rich_help_panel=_CLAIMS)] = None,
    run: Annotated[str | None, typer.Option(help="Binds to one run.", rich_help_panel=_CLAIMS)] = None,
    job: Annotated[str | None, typer.Option(help="Binds to one job.", rich_help_panel=_CLAIMS)] = None,
    policy_hash: Annotated[str | None, typer.Option(help="Pins the work policy.", rich_help_panel=_CLAIMS)] = None,
    spend_cap: Annotated[float | None, typer.Option(metavar="DOLLARS", help="Most it may spend.", rich_help_panel=_CLAIMS)] = None,
    evidence: Annotated[list[str] | None, typer.Option(help="Evidence promised; repeat for several.", rich_help_panel=_CLAIMS)] = None,
    may_act: Annotated[
        list[str] | None, typer.Option(metavar="SUBJECT", help="Who may become actor of a child token.", rich_help_panel=_CLAIMS)
    ] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key and request answer the same token.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the token alone.")] = False,
    url: Url = None,
    dev: Dev = None,
    key: Key = None,
    token: Cst = None,
    as_json: Json = False,
) -> None:
    """Issue a token. It is shown once: the server keeps its hash, not the token."""
    asked: dict[str, Any] = {"sub": sub, "aud": aud[0] if len(aud) == 1 else aud, "scope": scope, "ttl_sec": ttl, "tier": tier}
    asked |= {"owner_did": owner, "controller_did": controller, "agent_did": agent, "mission_id": mission, "run_id": run, "job_id": job}
    asked |= {"policy_hash_b64u": policy_hash, "spend_cap": spend_cap, "evidence_required": evidence or None}
    asked |= {"may_act": {"sub": may_act} if may_act else None}
    with Output(as_json) as out:
        path = "/v1/tokens/issue/canonical" if _lane(lane, owner, controller) == "canonical" else "/v1/tokens/issue"
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        answer = connect(url, dev, key, token).post(path, _given(asked), headers)
        _tell_issued(out, answer, quiet)


@app.command(epilog="Example: clawscope token introspect - < token.txt     Exit codes: 0 live, 1 not live, 2 refused, 3 unreachable.")
def introspect(
    token: Token,
    aud: Annotated[list[str] | None, typer.Option(help="Expect one of these audiences.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="Expect all of these scopes.")] = None,
    run: Annotated[str | None, typer.Option(help="The run the token is used in.")] = None,
    job: Annotated[str | None, typer.Option(help="The job the token is used in.")] = None,
    mission: Annotated[str | None, typer.Option(help="The mission the token is used in.")] = None,
    policy_hash: Annotated[str | None, typer.Option(help="The policy in force.")] = None,
    url: Url = None,
    dev: Dev = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Ask the issuer whether a token is live, and what it says."""
    with Output(as_json) as out:
        expect = {"aud": aud, "scope": scope, "run_id": run, "job_id": job, "mission_id": mission, "policy_hash_b64u": policy_hash}
        stated = {name: value for name, value in expect.items() if value}
        body: dict[str, Any] = {"token": read_token(token)} | ({"expect": stated} if stated else {})
        answer = _introspected(lambda: connect(url, dev, key, None).post("/v1/tokens/introspect", body))
        out.result(answer)
        live = answer["active"]
        out.say(
            "[green]live[/green]"
            if live
            else f"[red]not live[/red]: {'revoked' if answer.get('revoked') else answer.get('error', 'refused')}"
        )
        out.facts({name: value for name, value in answer.items() if name not in ("active", "error", "type", "title", "detail", "status")})
    if not live:
        raise typer.Exit(FAILED)


@app.command(epilog="Example: clawscope token revoke - --reason 'laptop lost' < token.txt")
def revoke(
    token: Annotated[str | None, typer.Argument(metavar="[TOKEN|-]", help="The token, or - to read it from standard input.")] = None,
    token_hash: Annotated[str | None, typer.Option("--hash", help="Revoke by token_hash: works without the token.")] = None,
    jti: Annotated[str | None, typer.Option(help="Revoke by jti: works without the token.")] = None,
    reason: Annotated[str | None, typer.Option(help="Kept in the audit; at most 256 characters.")] = None,
    family: Annotated[bool, typer.Option("--family", help="Revoke the root of its lineage and so every token below it.")] = False,
    url: Url = None,
    dev: Dev = None,
    key: Key = None,
    cst: Cst = None,
    as_json: Json = False,
) -> None:
    """Revoke a token and all made from it; in force when the command returns."""
    with Output(as_json) as out:
        named = {"token": read_token(token) if token is not None else None, "token_hash": token_hash, "jti": jti}
        body = _given(named)
        if len(body) != 1:
            raise Failure(
                "Name exactly one of TOKEN, --hash and --jti.", code="USAGE", fix="See: clawscope token revoke --help", exit_code=REFUSED
            )
        body |= {"reason": reason} if reason else {}
        body |= {"family": True} if family else {}
        answer = connect(url, dev, key, cst).post("/v1/tokens/revoke", body)
        out.result(answer)
        out.facts(answer)
        if not answer.get("known", True):
            out.note("The issuer does not know this token; should it ever turn up, it is refused.")


@app.command(epilog="Example: clawscope token inspect - < token.txt")
def inspect(token: Token, as_json: Json = False) -> None:
    """Decode a token without verifying anything: no key, no clock, no revocation. Trust none of it."""
    with Output(as_json) as out:
        text = read_token(token)
        parsed = jws.split(text)
        if isinstance(parsed, Denied):
            raise Failure(
                parsed.detail or parsed.code.message,
                code=parsed.code.name,
                fix="Was the whole token copied, without blanks?",
                exit_code=REFUSED,
            )
        claims = msgspec.to_builtins(parsed.content)
        out.result({"verified": False, "kid": parsed.kid, "token_hash": hash_of(text), "claims": claims})
        out.note("NOT VERIFIED: anybody could have written this. Use `clawscope verify token` or `token introspect`.")
        out.facts({"kid": parsed.kid, "token_hash": hash_of(text)}, "Header")
        out.facts(claims, "Claims")


def _tell_issued(out: Output, answer: Members, quiet: bool) -> None:
    if out.as_json:
        out.result(answer)
        return
    if not quiet:
        hidden = ("token", "claims", "migration_notice")
        out.facts({name: value for name, value in answer.items() if name not in hidden} | {"scope": answer["claims"]["scope"]})
        if answer.get("migration_notice"):
            out.note(answer["migration_notice"])
    out.text(answer["token"])


def _given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _lane(asked: str | None, owner: str | None, controller: str | None) -> str:
    if asked is None:
        return "canonical" if owner and controller else "legacy"
    if asked not in ("canonical", "legacy"):
        raise Failure("--lane is canonical or legacy.", code="USAGE", fix="See: clawscope token issue --help", exit_code=REFUSED)
    return asked


def _introspected(ask: Callable[[], Members]) -> Mapping[str, Any]:
    """The answer; a bad token's refusal says `active` too and is an answer, not a failure."""
    try:
        return ask()
    except Refused as refused:
        if refused.body.get("active") is not False:
            raise
        return refused.body
