"""`clawscope audit`: take a signed bundle home, and check one without asking anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
import typer
from rich.progress import Progress, TaskID

from clawscope.main.commands.connection import Cst, Dev, Json, Key, Url, connect
from clawscope.main.commands.evidence import NO_KEYS, Evidence, default_folder, statement_keys
from clawscope.main.http_client import Server
from clawscope.main.output import FAILED, REFUSED, Failure, Output
from clawscope.protocol import audit_bundle, strict_json
from clawscope.protocol.jwk import JwksRefused

app = typer.Typer(help="Export the issuer's audit as a signed bundle, and verify bundles offline.", no_args_is_help=True)

_FILTERS: tuple[str, ...] = ("token_hash", "jti", "sub", "owner_did", "agent_did", "controller_did", "mission_id", "run_id", "job_id")
_FILTERS += ("token_lane", "kid", "client_id", "issued_by")
_WHY = {
    "not_json": "the line is not strict JSON",
    "header": "a bundle has one header, and it is the first line",
    "kind": "the row is of no known kind",
    "sequence": "its number does not rise: a row is missing its place, doubled or moved",
    "row_after_trailer": "something follows the trailer",
    "trailer_missing": "the trailer is missing: the bundle is incomplete",
    "counts": "the trailer counts other rows than are here",
    "sha256": "the bytes before the trailer are not those it was signed over",
    "signer": "the signer is none of the statement keys given",
    "signature": "the signature is not the statement key's",
    "page": "checksum or signature are not those of the page",
}


_VERIFY_EPILOG = (
    "Example: clawscope audit verify audit.ndjson --keys statements.json     "
    "Exit codes: 0 whole, 1 not, 2 wrong usage, 3 unreachable, 6 no keys."
)


@app.command(epilog="Example: clawscope audit export --out audit.ndjson --filter mission_id=m-42")
def export(
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write; replaced only by a complete bundle.")],
    since: Annotated[int | None, typer.Option("--from", metavar="SECONDS", help="Rows from this epoch second on.")] = None,
    until: Annotated[int | None, typer.Option("--to", metavar="SECONDS", help="Rows before this epoch second.")] = None,
    where: Annotated[
        list[str] | None, typer.Option("--filter", metavar="NAME=VALUE", help=f"One of {', '.join(_FILTERS)}; repeat for several.")
    ] = None,
    url: Url = None,
    dev: Dev = None,
    key: Key = None,
    token: Cst = None,
    as_json: Json = False,
) -> None:
    """Stream every row within reach into an NDJSON bundle with a signed trailer."""
    with Output(as_json) as out:
        query = {"format": "ndjson", "from": since, "to": until, **_filters(where or [])}
        trailer = take_bundle(connect(url, dev, key, token), query, out_file, out)
        done = {"file": str(out_file), "size_bytes": out_file.stat().st_size, "rows": trailer["rows"], "sha256_hex": trailer["sha256_hex"]}
        out.result(done | {"signer_kid": trailer["signer_kid"]})
        out.facts(done | {"signer_kid": trailer["signer_kid"]})
        out.say(f"Check it: clawscope audit verify {out_file}")


@app.command(epilog=_VERIFY_EPILOG)
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An NDJSON bundle, or a JSON page of one.")],
    keys: Annotated[Path | None, typer.Option(metavar="FILE", help="Saved answer of /v1/jwks/statements.")] = None,
    cache: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder `verify token --fetch` filled.")] = None,
    url: Url = None,
    dev: Dev = None,
    as_json: Json = False,
) -> None:
    """Check a bundle offline: rows in order, counts, hash and signature; names the first bad row.

    Statement keys come from --keys, else --url or --dev, else the cache of `verify token`. Keys taken from whoever gave you
    the bundle prove nothing.
    """
    with Output(as_json) as out:
        if keys is not None:
            known = _keys_in(keys.read_bytes(), str(keys))
        elif url is not None or dev is not None:
            known = _keys_in(connect(url, dev, None, None).fetch("/v1/jwks/statements").raw, "The server's answer")
        else:
            known = Evidence.load(cache or default_folder()).statement_keys()
        report = check_bundle(file, known, out)
        found = {"file": str(file), "good": report.good, "rows": dict(report.rows), "bad_line": report.bad_line, "why": report.why}
        out.result(found)
        if report.good:
            out.say("[green]whole[/green]: every row is in place and the issuer's statement key signed them")
            out.facts(dict(report.rows))
        else:
            at = f"line {report.bad_line}: " if report.bad_line else ""
            out.say(f"[red]not whole[/red]: {at}{_WHY.get(report.why or '', report.why)}")
    if not report.good:
        raise typer.Exit(FAILED)


def take_bundle(server: Server, query: Mapping[str, str | int | None], out_file: Path, out: Output) -> dict[str, Any]:
    """Stream a bundle into the file and answer its trailer. Raises `Failure`; an incomplete bundle replaces nothing."""
    part = out_file.with_name(out_file.name + ".part")
    try:
        with server.lines("/v1/audit/bundle", query) as lines, part.open("wb") as file, out.progress() as progress:
            trailer = _write(lines, file, progress, progress.add_task("rows", total=None))
        part.replace(out_file)
    finally:
        part.unlink(missing_ok=True)
    return trailer


def check_bundle(path: Path, known: Mapping[str, bytes], out: Output) -> audit_bundle.BundleReport:
    """Check an NDJSON bundle, or a JSON page, against public statement keys by kid."""
    with path.open("rb") as file:
        page = _page(path, file.readline())
        if page is not None:
            return _page_report(page, known)
        file.seek(0)
        with out.progress(in_bytes=True) as progress:
            task = progress.add_task("checking", total=path.stat().st_size)
            return audit_bundle.check_file(_counted(file, progress, task), known)


def _keys_in(raw: bytes, named: str) -> dict[str, bytes]:
    try:
        return statement_keys(raw)
    except JwksRefused as refused:
        fix = "Save it from the issuer: curl -o statements.json ISSUER/v1/jwks/statements"
        raise Failure(f"{named} is no set of statement keys: {refused}.", code="NO_KEYS", fix=fix, exit_code=NO_KEYS) from None


def _filters(where: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in where:
        name, sign, value = one.partition("=")
        if name not in _FILTERS or not sign or name in found:
            raise Failure(
                "--filter takes NAME=VALUE, each name once.", code="USAGE", fix=f"Names: {', '.join(_FILTERS)}", exit_code=REFUSED
            )
        found[name] = value
    return found


def _write(lines: Iterator[bytes], file: BinaryIO, progress: Progress, task: TaskID) -> dict[str, Any]:
    """Every line as it came; the trailer, without which a bundle is incomplete."""
    last = b""
    for number, line in enumerate(lines):
        file.write(line)
        last = line
        if number == 0:
            progress.update(task, total=_announced(line))
        else:
            progress.advance(task)
    members = _object(last)
    if members.get("kind") != "trailer":
        raise Failure("The stream ended before its trailer; nothing was kept.", code="BUNDLE_INCOMPLETE", fix="Export again.")
    return members


def _announced(header: bytes) -> int | None:
    through = _object(header).get("through")
    return sum(through.values()) + 1 if isinstance(through, dict) else None


def _object(line: bytes) -> dict[str, Any]:
    try:
        members = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return {}
    return members if isinstance(members, dict) else {}


def _page(path: Path, first: bytes) -> dict[str, Any] | None:
    """The JSON page in the file, if it is one: an object that spans the file and is no bundle's header."""
    if not first or "kind" in _object(first):
        return None
    try:
        members = strict_json.parse(path.read_bytes())
    except strict_json.NotJson:
        return None
    return members if isinstance(members, dict) and "issuance" in members else None


def _page_report(page: dict[str, Any], known: Mapping[str, bytes]) -> audit_bundle.BundleReport:
    lists = {name: page.get(name) for name in audit_bundle.ROW_KINDS.values()}
    rows = {name: len(one["events"]) for name, one in lists.items() if isinstance(one, dict) and isinstance(one.get("events"), list)}
    public = known.get(str(page.get("signer_kid")))
    if public is None:
        return audit_bundle.BundleReport(rows, None, "signer")
    return audit_bundle.BundleReport(rows, None, None if audit_bundle.check_page(page, public) else "page")


def _counted(file: BinaryIO, progress: Progress, task: TaskID) -> Iterator[bytes]:
    for line in file:
        progress.advance(task, len(line))
        yield line
