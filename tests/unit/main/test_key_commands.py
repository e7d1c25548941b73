"""`clawscope keys …`: the plan first, then the question; exit codes; the key log checked offline (keys.md §3, §4, §6)."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from clawscope.main.commands import keys
from clawscope.main.output import run
from clawscope.protocol import b64u
from clawscope.protocol.key_snapshot import FIRST_PREVIOUS, KeyState, build, encode
from tests.unit.main.conftest import OPERATOR_KEY, Issuer, Laid, Ran

NOW = 1_800_000_000
PLAN = {
    "dry_run": True,
    "moves": [{"purpose": "token", "kid": "k1", "from_state": "active", "to_state": "revoked", "at": NOW}],
    "live_tokens": 3,
}
DONE = {"status": "revoked", "kid": "k1", "sequence": 4, "replacement_kid": "k2", "live_tokens_killed": 3, "effective_within_s": 2}


@pytest.fixture
def keys_cli(cli: Callable[..., Ran], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Runs `keys …`, with what a person types on standard input."""
    app = typer.Typer()
    app.add_typer(keys.app, name="keys")

    def ran(*arguments: str, typed: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        capfd.readouterr()
        code = run(app, ("keys", *arguments))
        said = capfd.readouterr()
        return Ran(code, said.out, said.err)

    return ran


def at(server: Laid) -> tuple[str, ...]:
    return ("--url", server.base_url, "--key", OPERATOR_KEY)


def test_a_move_shows_its_plan_and_is_made_when_confirmed(keys_cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/keys/k1/revoke", PLAN)
    ran = keys_cli("revoke", "k1", "--reason", "stolen", *at(server), typed="y\n")
    assert ran.code == 0
    assert "active → revoked" in ran.out
    assert "3 live token(s)" in ran.out
    assert [one.path for one in server.asked] == ["/v1/keys/k1/revoke?dry_run=true", "/v1/keys/k1/revoke"]
    assert json.loads(server.asked[1].body) == {"reason": "stolen"}


def test_a_move_not_confirmed_is_not_made(keys_cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/keys/k1/revoke", PLAN)
    ran = keys_cli("revoke", "k1", "--reason", "stolen", *at(server), typed="n\n")
    assert (ran.code, "NOT_CONFIRMED" in ran.err) == (2, True)
    assert len(server.asked) == 1


def test_yes_skips_plan_and_question(keys_cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/keys/k1/revoke", DONE)
    ran = keys_cli("revoke", "k1", "--reason", "stolen", "--yes", "--json", *at(server))
    assert (ran.code, ran.json) == (0, DONE)
    assert [one.path for one in server.asked] == ["/v1/keys/k1/revoke"]


def test_json_cannot_ask(keys_cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/keys/rotate", PLAN)
    assert keys_cli("rotate", "--reason", "r", "--json", *at(server)).code == 2


@pytest.mark.parametrize(
    ("arguments", "route", "body"),
    [
        (("prepare", "--kid", "spring"), "/v1/keys/prepare", {"purpose": "token", "reason": "r", "kid": "spring"}),
        (("rotate", "--purpose", "statement"), "/v1/keys/rotate", {"purpose": "statement", "reason": "r"}),
        (("activate", "k1"), "/v1/keys/k1/activate", {"reason": "r"}),
        (("retire", "k1"), "/v1/keys/k1/retire", {"reason": "r"}),
        (("import", "--verify-only", "X", "--not-after", "5"), "/v1/keys/import", {"x": "X", "not_after_unix": 5, "reason": "r"}),
    ],
)
def test_each_move_asks_its_route(
    keys_cli: Callable[..., Ran], server: Laid, arguments: tuple[str, ...], route: str, body: dict[str, Any]
) -> None:
    server.answer(f"POST {route}", {"kid": "k1"})
    assert keys_cli(*arguments, "--reason", "r", "--yes", *at(server)).code == 0
    assert json.loads(server.asked[-1].body) == body
    assert server.asked[-1].headers["authorization"] == f"Bearer {OPERATOR_KEY}"


def test_a_refusal_is_exit_2_and_nobody_there_is_exit_3(keys_cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/keys/k1/activate", {"error": "KEY_NOT_READY", "message": "it may sign in 60 s"}, 409)
    ran = keys_cli("activate", "k1", "--reason", "r", "--yes", *at(server))
    assert (ran.code, "KEY_NOT_READY" in ran.err) == (2, True)
    assert keys_cli("list", "--url", "http://127.0.0.1:1", "--key", OPERATOR_KEY).code == 3


def test_list_shows_states(keys_cli: Callable[..., Ran], server: Laid) -> None:
    row = {
        "kid": "k1",
        "purpose": "token",
        "state": "verify_only",
        "x": "x",
        "published_at": 1,
        "activatable_at": 1,
        "not_after_unix": NOW,
        "reason": "r",
    }
    server.answer("GET /v1/keys", {"keys": [row]})
    ran = keys_cli("list", "--purpose", "token", *at(server))
    assert "verify_only" in ran.out
    assert "2027-01-15T08:00:00.000Z" in ran.out
    assert server.asked[-1].path == "/v1/keys?purpose=token"


def log_of(issuer: Issuer, length: int = 3) -> dict[str, Any]:
    """A saved key log of some refreshes."""
    snapshots: list[Any] = []
    for sequence in range(1, length + 1):
        entry = build(
            KeyState(issuer.kid, [issuer.kid], [issuer.kid], overlap_seconds=3600),
            sequence=sequence,
            reason="boot" if sequence == 1 else "refresh",
            generated_at=NOW + sequence,
            prev_entry_hash_b64u=snapshots[-1]["entry_hash_b64u"] if snapshots else FIRST_PREVIOUS,
            token_key=issuer.token_key,
            statement_key=issuer.statement_key,
            statement_kid=issuer.statement_kid,
        )
        snapshots.append(json.loads(encode(entry)))
    shown = [("token", issuer.kid, issuer.token_key), ("statement", issuer.statement_kid, issuer.statement_key)]
    return {"keys": [{"purpose": purpose, "kid": kid, "x": b64u.encode(key.public)} for purpose, kid, key in shown], "snapshots": snapshots}


def test_a_saved_log_verifies_offline(keys_cli: Callable[..., Ran], issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(json.dumps(log_of(issuer)))
    ran = keys_cli("verify-log", "log.json", "--json")
    assert (ran.code, ran.json["intact"], ran.json["checked"]) == (0, True, 3)


def test_the_first_break_is_named(keys_cli: Callable[..., Ran], issuer: Issuer, tmp_path: Path) -> None:
    log = log_of(issuer)
    log["snapshots"][1]["generated_at"] += 1
    (tmp_path / "log.json").write_text(json.dumps(log))
    ran = keys_cli("verify-log", "log.json", "--json")
    assert (ran.code, ran.json["broken_at"]) == (2, 2)


def test_something_else_is_no_log(keys_cli: Callable[..., Ran], tmp_path: Path) -> None:
    for text in ("[]", "{}", "nonsense", '{"keys":[],"snapshots":[{}]}'):
        (tmp_path / "log.json").write_text(text)
        assert keys_cli("verify-log", "log.json").code == 2


def test_the_servers_log_is_read_to_its_end_and_kept(keys_cli: Callable[..., Ran], server: Laid, issuer: Issuer, tmp_path: Path) -> None:
    log = log_of(issuer)
    server.answer("GET /v1/keys/transparency/latest", log["snapshots"][-1])
    server.answer("GET /v1/keys/transparency/history", {"snapshots": log["snapshots"], "cursor": None, "list_complete": True})
    server.answer("GET /v1/keys", {"keys": log["keys"]})
    assert keys_cli("verify-log", "--save", "kept.json", *at(server)).code == 0
    assert json.loads((tmp_path / "kept.json").read_text()) == log


def lay_out(server: Laid, issuer: Issuer, **changes: Any) -> None:
    newest = log_of(issuer)["snapshots"][-1]
    names = ("active_kid", "accepted_kids", "signing_kids", "verify_only_kids", "expiring_kids", "revoked_kids")
    server.answer("GET /v1/keys/rotation-contract", {name: newest[name] for name in names} | changes)
    server.answer("GET /v1/jwks", {"keys": [{"kid": issuer.kid}]})
    server.answer("GET /v1/keys/transparency/latest", newest)


def test_smoke_passes_where_the_answers_agree(keys_cli: Callable[..., Ran], server: Laid, issuer: Issuer) -> None:
    lay_out(server, issuer)
    ran = keys_cli("smoke", "--issuer", server.base_url, "--json")
    assert (ran.code, ran.json["kids"]) == (0, {issuer.kid: "active: accept, signs now"})


def test_smoke_fails_where_they_do_not(keys_cli: Callable[..., Ran], server: Laid, issuer: Issuer) -> None:
    lay_out(server, issuer, accepted_kids=[issuer.kid, "another"])
    ran = keys_cli("smoke", "--issuer", server.base_url, "--json")
    assert (ran.code, len(ran.json["faults"])) == (2, 2)
