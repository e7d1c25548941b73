"""Settings shown to people never show a secret."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from clawscope.infra.config import ConfigProblems, describe, effective, load, nested, setting
from clawscope.infra.config.environment import read_file, variables
from clawscope.kernel.secret import Secret


@dataclass(frozen=True)
class Inner:
    master_key: Secret | None = setting(None, help="Seals | seeds", alias="SCOPE_MASTER")


@dataclass(frozen=True)
class Outer:
    url: str = setting(help="The issuer", required_outside_dev=True)
    size: int = setting(5, help="How many", unit="rows", low=1, high=1_000_000)
    named: dict[str, Secret] = setting({}, help="Keys")
    keys: Inner = nested(Inner)


def test_effective_rows_show_value_and_origin_and_hide_secrets() -> None:
    environ = {"CLAWSCOPE_A_URL": "u", "SCOPE_MASTER": "hunter2", "CLAWSCOPE_A_NAMED": '{"ops":"hunter2"}'}
    rows = {row.name: (row.value, row.origin) for row in effective(load({"a": Outer}, toml_text=None, environ=environ))}
    assert rows == {
        "a.url": ("u", "env CLAWSCOPE_A_URL"),
        "a.size": ("5", "default"),
        "a.named": ('{"ops": "***"}', "env CLAWSCOPE_A_NAMED"),
        "a.keys.master_key": ("***", "env SCOPE_MASTER"),
    }


def test_the_reference_page_lists_every_setting_with_default_bounds_and_variables() -> None:
    page = describe({"a": Outer})
    assert "## `[a]`" in page
    assert "## `[a.keys]`" in page
    assert "| `size` | `5` | a whole number in rows from 1 to 1000000 | How many | `CLAWSCOPE_A_SIZE` |" in page
    assert "| `url` | required outside dev mode | text | The issuer | `CLAWSCOPE_A_URL` |" in page
    assert "| `master_key` | none | text (a secret) | Seals \\| seeds | `CLAWSCOPE_A_KEYS_MASTER_KEY` `SCOPE_MASTER` |" in page


def test_the_environment_is_handed_out_as_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWSCOPE_A_URL", "x")
    seen = variables()
    monkeypatch.setenv("CLAWSCOPE_A_URL", "y")
    assert seen["CLAWSCOPE_A_URL"] == "x"


def test_an_unreadable_file_is_a_configuration_problem(tmp_path: Path) -> None:
    broken = tmp_path / "c.toml"
    broken.write_bytes(b"\xff\xfe")
    for path in (broken, tmp_path / "missing.toml"):
        with pytest.raises(ConfigProblems, match="cannot be read"):
            read_file(path)
    broken.write_text("x = 1")
    assert read_file(broken) == "x = 1"
