"""Which server a command speaks to, and with which credential."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clawscope.main.commands.connection import target
from clawscope.main.output import Failure
from tests.unit.main.conftest import OPERATOR_KEY

HERE, THERE = "http://127.0.0.1:8787", "https://issuer.example"


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A folder as `serve --dev` leaves it."""
    (tmp_path / "dev.json").write_text(json.dumps({"base_url": HERE, "issuer": HERE, "operator_key": OPERATOR_KEY}))
    return tmp_path


def test_dev_file_gives_url_and_key(dev: Path) -> None:
    found = target(None, dev, None, None, {})
    assert found.url == HERE
    assert found.credential is not None
    assert found.credential.reveal() == OPERATOR_KEY


def test_dev_key_is_not_sent_to_another_server(dev: Path) -> None:
    assert target(THERE, dev, None, None, {}).credential is None


def test_named_url_takes_the_key_from_the_environment() -> None:
    found = target(THERE, None, None, None, {"CLAWSCOPE_KEY": OPERATOR_KEY})
    assert found.credential is not None
    assert found.credential.reveal() == OPERATOR_KEY


def test_options_win_over_dev_file_and_environment(dev: Path) -> None:
    found = target(None, dev, "given-key", None, {"CLAWSCOPE_KEY": OPERATOR_KEY, "CLAWSCOPE_URL": THERE})
    assert found.url == HERE
    assert found.credential is not None
    assert found.credential.reveal() == "given-key"


def test_token_wins_over_key() -> None:
    found = target(THERE, None, "given-key", "a.b.c", {})
    assert found.credential is not None
    assert found.credential.reveal() == "a.b.c"


def test_environment_names_the_server() -> None:
    assert target(None, None, None, None, {"CLAWSCOPE_URL": THERE}).url == THERE


def test_nothing_named_says_how_to_name_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Failure) as refused:
        target(None, None, None, None, {})
    assert "--url" in (refused.value.fix or "")


def test_damaged_dev_file_is_told_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text('{"operator_key": "' + OPERATOR_KEY)
    with pytest.raises(Failure) as refused:
        target(None, tmp_path, None, None, {})
    assert OPERATOR_KEY not in f"{refused.value.message}{refused.value.fix}"


@pytest.mark.parametrize("value", ["", "  ", "two\nlines", "schlüssel"])
def test_credential_that_no_header_can_hold_is_refused(value: str) -> None:
    with pytest.raises(Failure):
        target(THERE, None, value, None, {})
