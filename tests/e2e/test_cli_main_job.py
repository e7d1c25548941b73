"""The command line against a real server: issue, check, verify offline, revoke, audit, and the demo that shows it all."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clawscope.main.commands.connection import DevServer
from clawscope.main.commands.dev_server import fresh_server
from clawscope.main.output import Failure

_PROGRAM = "import sys; from clawscope.main.cli import run; sys.exit(run())"
_ISSUE = ("token", "issue", "--sub", "did:key:zAgent", "--aud", "https://model.example", "--scope", "proxy:call:openai")


@dataclass(frozen=True)
class Ran:
    """How a process ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the dev server."""
    return tmp_path_factory.mktemp("dev")


@pytest.fixture(scope="module")
def dev(data: Path) -> Iterator[DevServer]:
    """A dev server in a process of its own."""
    with fresh_server(data) as found:
        yield found


@pytest.fixture
def cli(dev: DevServer, data: Path, tmp_path: Path) -> Cli:
    """Run `clawscope` as a process of its own, in an empty folder; `{dev}` stands for the server's data folder."""

    def ran(*arguments: str, stdin: str | None = None) -> Ran:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("CLAWSCOPE_", "SCOPE_"))}
        environ = plain | {"HOME": str(tmp_path)}
        given = [argument.replace("{dev}", str(data)) for argument in arguments]
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *given],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environ,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    return ran


def test_dev_file_is_for_its_owner_alone(dev: DevServer, data: Path) -> None:
    assert stat.S_IMODE((data / "dev.json").stat().st_mode) == 0o600
    assert set(json.loads((data / "dev.json").read_text())) == {"base_url", "issuer", "operator_key"}


def test_demo_walks_the_main_job_on_a_running_server(cli: Cli, dev: DevServer) -> None:
    ran = cli("demo", "--dev", "{dev}", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["ok"] is True
    assert [step["ok"] for step in ran.json["steps"]] == [True] * 10
    assert dev.operator_key not in ran.out + ran.err


def test_demo_starts_a_server_of_its_own(cli: Cli, dev: DevServer) -> None:
    ran = cli("demo")
    assert ran.code == 0, ran.out + ran.err
    assert "All 10 steps went well." in ran.out
    assert dev.base_url not in ran.out


def test_token_lives_is_revoked_and_is_refused_on_and_offline(cli: Cli) -> None:
    token = cli(*_ISSUE, "--dev", "{dev}", "-q").out.strip()
    verify = ("verify", "token", "-", "--cache", "evidence")
    assert cli("token", "introspect", "-", "--dev", "{dev}", stdin=token).code == 0
    assert cli(*verify, "--dev", "{dev}", stdin=token).code == 0
    assert cli(*verify, stdin=token).code == 0
    revoked = cli("token", "revoke", "-", "--reason", "test", "--dev", "{dev}", "--json", stdin=token).json
    assert (revoked["status"], revoked["known"]) == ("revoked", True)
    again = cli("token", "revoke", "--hash", revoked["token_hash"], "--dev", "{dev}", "--json").json
    assert (again["status"], again["sequence"]) == ("already_revoked", revoked["sequence"])
    assert cli("token", "introspect", "-", "--dev", "{dev}", stdin=token).code == 1
    assert cli(*verify, "--dev", "{dev}", stdin=token).code == 4


def test_same_idempotency_key_answers_the_same_token(cli: Cli) -> None:
    first, second = (cli(*_ISSUE, "--dev", "{dev}", "-q", "--idempotency-key", "once").out for _ in range(2))
    assert first == second


def test_refused_issue_names_code_and_remedy(cli: Cli) -> None:
    ran = cli(*_ISSUE, "--ttl", "999999", "--dev", "{dev}", "--json")
    assert ran.code == 2
    assert json.loads(ran.err)["error"] == "TTL_TOO_LONG"


def test_wrong_operator_key_is_refused_and_not_shown(cli: Cli, dev: DevServer) -> None:
    wrong = "op_wrong_wrong_wrong_wrong_wrong"
    ran = cli(*_ISSUE, "--url", dev.base_url, "--key", wrong)
    assert ran.code == 2
    assert "UNAUTHORIZED" in ran.err
    assert wrong not in ran.out + ran.err


def test_audit_is_exported_whole_and_a_changed_row_is_found(cli: Cli, tmp_path: Path) -> None:
    cli(*_ISSUE, "--mission", "audited", "--dev", "{dev}")
    exported = cli("audit", "export", "--out", "a.ndjson", "--dev", "{dev}", "--json")
    assert exported.code == 0, exported.err
    assert exported.json["rows"]["issuance"] >= 1
    assert cli("audit", "verify", "a.ndjson", "--dev", "{dev}").code == 0
    lines = (tmp_path / "a.ndjson").read_bytes().splitlines(keepends=True)
    (tmp_path / "a.ndjson").write_bytes(b"".join([lines[0], *lines[2:]]))
    assert cli("audit", "verify", "a.ndjson", "--dev", "{dev}").code == 1


def test_openapi_is_what_the_server_answers(cli: Cli, dev: DevServer) -> None:
    with urllib.request.urlopen(f"{dev.base_url}/openapi.json", timeout=10) as answer:
        served = json.loads(answer.read())
    assert cli("openapi").json == served


def test_check_config_shows_origins_and_no_secret(cli: Cli, dev: DevServer, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[issuer]\nmax_ttl_s = 1800\n")
    ran = cli("check-config", "--config", "c.toml", "--dev", "--data", "{dev}", "--json")
    assert ran.code == 0, ran.err
    rows = {row["name"]: row for row in ran.json}
    assert (rows["issuer.max_ttl_s"]["value"], rows["issuer.max_ttl_s"]["origin"]) == ("1800", "file")
    assert rows["issuer.protected_auth_mode"]["origin"] == "dev"
    assert dev.operator_key not in ran.out


def test_check_config_lists_every_mistake_at_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[issuer]\nmax_ttl = 1800\nclock_skew_s = 'long'\n")
    ran = cli("check-config", "--config", "c.toml", "--json")
    assert ran.code == 2
    problems = "\n".join(json.loads(ran.err)["problems"])
    assert "issuer.max_ttl " in problems
    assert "issuer.clock_skew_s" in problems
    assert "issuer.url" in problems


def test_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "clawscope.db").mkdir()
    with pytest.raises(Failure) as failed, fresh_server(tmp_path):
        raise AssertionError("it must not get here")
    assert failed.value.code == "SERVER_NOT_READY"
    assert "It said:" in (failed.value.fix or "")
