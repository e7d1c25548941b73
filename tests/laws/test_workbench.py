"""The Makefile explains itself and does nothing twice; the reference pages are what the registries say."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools.reference import pages, stale

ROOT = Path(__file__).parents[2]
TARGETS = ("run", "test", "check", "lint", "types", "laws", "bench", "soak", "fmt", "docs", "lock", "clean", "setup")


def made(*targets: str) -> str:
    return subprocess.run(["make", *targets], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_make_alone_lists_every_target_with_a_line() -> None:
    listed = {line.split()[1]: line.split(maxsplit=2)[2] for line in made("-s").splitlines()}
    assert set(TARGETS) <= set(listed)
    assert all(len(text) > 5 for text in listed.values())


def test_check_and_test_together_run_the_tests_once() -> None:
    commands = made("-n", "check", "test")
    assert commands.count('not soak and not serial"') == 1
    for command in ("ruff check", "ruff format --check", "mypy", "lint-imports", "tools.laws", "tools.reference --check"):
        assert commands.count(command) == 1


def test_ci_runs_exactly_these_two_targets() -> None:
    assert "make --no-print-directory check test\n" in (ROOT / ".ci/run").read_text()


def test_a_page_is_stale_when_missing_or_changed(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("old")
    (tmp_path / "b.md").write_text("same")
    assert stale(tmp_path, {"a.md": "new", "b.md": "same", "c.md": "new"}) == ["a.md", "c.md"]


def test_the_code_page_lists_every_registered_code() -> None:
    made_pages = pages()
    assert "| 503 | `STORE_UNAVAILABLE` |" in made_pages["errors.md"]
    assert made_pages == pages()
