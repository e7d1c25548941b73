"""How commands end: exit codes, failures for people and programs, nothing secret in either."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer import Exit, Typer

from clawscope.infra.config import ConfigProblems
from clawscope.kernel.errors import Refusal
from clawscope.main.output import REFUSED, Failure, Output, run, shown, without_arguments
from clawscope.protocol.codes import TOKEN_EXPIRED
from tests.unit.main.conftest import Ran

SECRET_LOOKING = "op_0123456789abcdefghijklmnopqrstuvwxyz"


def ended(error: Exception, capfd: pytest.CaptureFixture[str], *, as_json: bool = False) -> tuple[int, str]:
    """The exit code and standard error of a command that fails so."""
    with pytest.raises(Exit) as left, Output(as_json):
        raise error
    return left.value.exit_code, capfd.readouterr().err


def test_failure_shows_code_message_and_remedy(capfd: pytest.CaptureFixture[str]) -> None:
    code, err = ended(Failure("It broke.", code="BROKE", fix="Mend it.", exit_code=7), capfd)
    assert code == 7
    assert err == "BROKE: It broke.\n  Mend it.\n"


def test_failure_is_one_json_object_for_programs(capfd: pytest.CaptureFixture[str]) -> None:
    _, err = ended(Failure("It broke.", code="BROKE", details={"status": 400}), capfd, as_json=True)
    assert json.loads(err) == {"error": "BROKE", "message": "It broke.", "exit_code": 1, "status": 400}


def test_refusal_keeps_its_code(capfd: pytest.CaptureFixture[str]) -> None:
    code, err = ended(Refusal(TOKEN_EXPIRED), capfd)
    assert code == REFUSED
    assert err.startswith("TOKEN_EXPIRED: ")


def test_every_configuration_mistake_is_listed(capfd: pytest.CaptureFixture[str]) -> None:
    _, err = ended(ConfigProblems(["a: wrong", "b: wrong"]), capfd)
    assert "a: wrong" in err
    assert "b: wrong" in err


def test_file_error_names_the_file(capfd: pytest.CaptureFixture[str]) -> None:
    _, err = ended(FileNotFoundError(2, "No such file or directory", "audit.ndjson"), capfd)
    assert err.startswith("FILE: audit.ndjson: No such file")


def test_text_is_shown_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    out = Output()
    out.facts({"agent": "did:key:zAgent [red]x[/red]"})
    assert "did:key:zAgent [red]x[/red]" in capfd.readouterr().out


def test_json_silences_everything_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=True)
    out.say("a")
    out.note("b")
    out.facts({"c": 1})
    out.table(("d",), [("e",)])
    out.result({"only": "this"})
    said = capfd.readouterr()
    assert json.loads(said.out) == {"only": "this"}
    assert said.err == ""


def test_claim_times_get_their_date() -> None:
    assert shown("exp", 1_800_000_000) == "1800000000  (2027-01-15T08:00:00.000Z)"
    assert shown("sequence", 1_800_000_000) == "1800000000"


def test_wrong_usage_never_repeats_a_long_argument(cli: Callable[..., Ran]) -> None:
    ran = cli("token", "inspect", "a.b.c", SECRET_LOOKING)
    assert ran.code == REFUSED
    assert SECRET_LOOKING not in ran.out + ran.err
    assert "***" in ran.err


def test_wrong_option_with_a_secret_value_is_not_repeated(cli: Callable[..., Ran]) -> None:
    ran = cli("token", "inspect", f"--kye={SECRET_LOOKING}", "x")
    assert ran.code == REFUSED
    assert SECRET_LOOKING not in ran.out + ran.err


def test_wrong_usage_under_json_is_json(cli: Callable[..., Ran]) -> None:
    ran = cli("token", "nonsense", "--json")
    assert json.loads(ran.err)["error"] == "USAGE"


def test_short_words_are_repeated_so_that_typos_show() -> None:
    assert without_arguments("No such command 'isue'.", ["isue"]) == "No such command 'isue'."


def test_interruption_ends_with_130(capfd: pytest.CaptureFixture[str]) -> None:
    app = Typer()

    @app.command()
    def wait() -> None:
        raise KeyboardInterrupt

    assert run(app, []) == 130
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "path",
    [
        ("token", "issue"),
        ("token", "introspect"),
        ("token", "revoke"),
        ("token", "inspect"),
        ("audit", "export"),
        ("audit", "verify"),
        ("verify", "token"),
        ("demo",),
        ("check-config",),
        ("openapi",),
    ],
)
def test_every_command_helps_with_an_example_and_speaks_json(cli: Callable[..., Ran], path: tuple[str, ...]) -> None:
    ran = cli(*path, "--help")
    assert ran.code == 0
    assert "Example: clawscope" in ran.out
    assert "--json" in ran.out
