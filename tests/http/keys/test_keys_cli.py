"""`clawscope keys` against a real issuer: same use cases, same refusals, the whole log checked (keys.md §3, §4, §6)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from clawscope.main.commands import keys
from clawscope.main.output import run
from tests.http.keys.conftest import Deployment
from tests.http.keys.desk import DELAY_S, OVERLAP_S, SKEW_S, Desk, kid_of, seed, x_of
from tests.http.serving import OPERATOR_KEY

DONE, REFUSED, UNREACHABLE = 0, 2, 3


@dataclass(frozen=True)
class Ran:
    """Exit code and what was printed; a failure goes to standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value printed."""
        return json.loads(self.out or self.err)


Keys = Callable[..., Ran]


@pytest.fixture
def keys_of(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Runs `clawscope keys …` against a desk's server."""
    app = typer.Typer()
    app.add_typer(keys.app, name="keys")
    monkeypatch.chdir(tmp_path)

    def ran(desk: Desk, *arguments: str) -> Ran:
        capfd.readouterr()
        at = () if arguments[0] == "smoke" else ("--url", desk.served.url, "--key", OPERATOR_KEY)
        code = run(app, ("keys", *arguments, *at, "--json"))
        said = capfd.readouterr()
        return Ran(code, said.out, said.err)

    return ran


def test_a_rotation_from_the_command_line(desk: Desk, keys_of: Keys) -> None:
    former = desk.active()
    prepared = keys_of(desk, "prepare", "--reason", "planned", "--kid", "next", "--yes")
    assert (prepared.code, prepared.json["kid"]) == (DONE, "next")
    early = keys_of(desk, "activate", "next", "--reason", "planned", "--yes")
    assert (early.code, early.json["error"]) == (REFUSED, "KEY_NOT_READY")
    desk.move(DELAY_S)
    assert keys_of(desk, "activate", "next", "--reason", "planned", "--yes").json["former_kid"] == former
    desk.pass_time(OVERLAP_S + 2 * SKEW_S + 1)
    listed = keys_of(desk, "list").json["keys"]
    assert {one["kid"]: one["state"] for one in listed if one["purpose"] == "token"} == {"next": "active", former: "retired"}


def test_every_other_move_from_the_command_line(desk: Desk, keys_of: Keys) -> None:
    former = desk.active()
    desk.prepare(kid="spare")
    assert keys_of(desk, "retire", "spare", "--reason", "no need", "--yes").json == {"kid": "spare", "state": "retired"}
    cut_off = str(desk.clock.now() + 100)
    imported = keys_of(desk, "import", "--verify-only", x_of("v"), "--not-after", cut_off, "--reason", "former", "--yes")
    assert imported.json["kid"] == kid_of("v")
    rotating = keys_of(desk, "rotate", "--reason", "planned", "--yes")
    assert (rotating.code, rotating.json["retiring_kid"]) == (DONE, former)
    assert keys_of(desk, "rotate", "--reason", "planned", "--yes").json["error"] == "KEY_ROTATION_IN_PROGRESS"
    revoked = keys_of(desk, "revoke", former, "--reason", "stolen", "--yes")
    assert revoked.json["replacement_kid"] == rotating.json["prepared_kid"]
    assert keys_of(desk, "revoke", "nobody", "--reason", "x", "--yes").code == REFUSED


def test_nobody_there_is_unreachable(desk: Desk, keys_of: Keys) -> None:
    desk.served.stop()
    assert keys_of(desk, "list").code == UNREACHABLE


def test_the_whole_log_is_verified_online_and_offline(desk: Desk, keys_of: Keys, tmp_path: Path) -> None:
    desk.changed()
    desk.act(desk.active("statement"), "revoke").ok()
    for _ in range(120):
        desk.served.operator.call("POST", "/v1/keys/transparency/snapshot").ok()
    online = keys_of(desk, "verify-log", "--save", "log.json", "--publish-delay", str(DELAY_S))
    assert (online.code, online.json["intact"], online.json["checked"]) == (DONE, True, 124)
    offline = keys_of(desk, "verify-log", "log.json")
    assert (offline.code, offline.json) == (DONE, online.json)
    saved = json.loads((tmp_path / "log.json").read_text())
    saved["snapshots"][2]["accepted_kids"].reverse()
    (tmp_path / "log.json").write_text(json.dumps(saved))
    broken = keys_of(desk, "verify-log", "log.json")
    assert (broken.code, broken.json["intact"], broken.json["broken_at"]) == (REFUSED, False, 3)


@pytest.mark.parametrize("cut", [slice(1, None), slice(0, 2)])
def test_a_log_with_entries_cut_out_does_not_verify(desk: Desk, keys_of: Keys, tmp_path: Path, cut: slice) -> None:
    desk.changed()
    desk.prepare()
    keys_of(desk, "verify-log", "--save", "log.json")
    saved = json.loads((tmp_path / "log.json").read_text())
    saved["snapshots"] = [one for at, one in enumerate(saved["snapshots"]) if at not in range(*cut.indices(2))]
    (tmp_path / "log.json").write_text(json.dumps(saved))
    assert keys_of(desk, "verify-log", "log.json").code == REFUSED


def test_smoke_passes_through_the_runbooks_rotation(deployment: Deployment, keys_of: Keys) -> None:
    desk = deployment.start(SCOPE_SIGNING_KEY=seed("a"))
    desk.issue()
    for variables in (
        {"SCOPE_SIGNING_KEYS_JSON": json.dumps([seed("a"), seed("b")])},
        {"SCOPE_SIGNING_KEYS_JSON": json.dumps([seed("b"), seed("a")])},
        {"SCOPE_SIGNING_KEYS_JSON": json.dumps([seed("b")])},
    ):
        smoke = keys_of(desk, "smoke", "--issuer", desk.served.url)
        assert (smoke.code, smoke.json["faults"]) == (DONE, [])
        assert smoke.json["kids"].keys() == set(desk.listed())
        desk = deployment.start(**variables)
    assert set(keys_of(desk, "smoke", "--issuer", desk.served.url).json["kids"]) == {kid_of("a"), kid_of("b")}
