"""The import contracts catch each forbidden direction, in a package made for the purpose, and bear slices that do not exist yet."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = "kernel, protocol, domain, ports and usecases"
HOUSE = "main, console, slices"
SLICE = "inside a slice"
DESCENT = (
    "main.app",
    "console.pages",
    "issuer.wiring",
    "issuer.adapters.store",
    "issuer.usecases.issue",
    "issuer.ports",
    "issuer.domain.token",
)

PLANTS = [
    (HOUSE, "kernel.a", "clawscope.protocol.b"),
    (HOUSE, "protocol.a", "clawscope.infra.b"),
    (HOUSE, "infra.a", "clawscope.issuer.b"),
    (HOUSE, "issuer.a", "clawscope.identity.b"),
    (HOUSE, "issuer.c", "clawscope.console.b"),
    (HOUSE, "console.a", "clawscope.main.b"),
    (SLICE, "access.domain.a", "clawscope.access.ports"),
    (SLICE, "agents.ports", "clawscope.agents.usecases.b"),
    (SLICE, "policies.usecases.a", "clawscope.policies.adapters.b"),
    (SLICE, "ledger.adapters.a", "clawscope.ledger.wiring"),
    (PURE, "kernel.d", "asyncio"),
    (PURE, "protocol.d", "sqlalchemy"),
    (PURE, "issuer.domain.d", "litestar"),
    (PURE, "insight.ports", "aiohttp"),
    (PURE, "issuer.usecases.d", "uvicorn"),
    (PURE, "translog.domain", "sqlalchemy"),
]


def package(root: Path, imports: dict[str, str]) -> None:
    """A package in which each module imports one other; what a module of ours imports exists, empty."""
    shutil.copy(ROOT / ".importlinter", root / ".importlinter")
    files = {f"{module.removeprefix('clawscope.')}": "" for module in imports.values() if module.startswith("clawscope.")}
    files |= {importer: f"import {module}\n" for importer, module in imports.items()}
    for module, text in {"kernel.text": "", "protocol.jws": "", **files}.items():
        place = root / "clawscope" / f"{module.replace('.', '/')}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for folder in (root / "clawscope", *(one for one in (root / "clawscope").rglob("*") if one.is_dir())):
        (folder / "__init__.py").touch()


def judgement(root: Path) -> str:
    """What import-linter prints, in lines as wide as they need to be."""
    environment = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "400", "TERM": "dumb"}
    code = "from importlinter.cli import lint_imports_command as run; run(['--no-cache', '--no-logo'])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def broken_contracts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each broken contract's report, by the first words of its name, for a package with all plants in it."""
    root = tmp_path_factory.mktemp("planted")
    package(root, {importer: imported for _, importer, imported in PLANTS} | {"surprise.a": "re"})
    reports = judgement(root).partition("Broken contracts")[2]
    return {name: next((part for part in _parts(reports) if part.startswith(name)), "") for name in (HOUSE, SLICE, PURE)}


def _parts(reports: str) -> list[str]:
    """The report cut before each contract's underlined name."""
    lines = reports.splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith((HOUSE, SLICE, PURE))]
    return ["\n".join(lines[start:end]) for start, end in itertools.pairwise([*starts, len(lines)])]


@pytest.mark.parametrize(("contract", "importer", "imported"), PLANTS)
def test_a_planted_import_breaks_its_contract(broken_contracts: dict[str, str], contract: str, importer: str, imported: str) -> None:
    assert f"clawscope.{importer} -> {imported} " in broken_contracts[contract]


def test_a_package_that_is_no_layer_breaks_the_house(broken_contracts: dict[str, str]) -> None:
    assert "- clawscope.surprise" in broken_contracts[HOUSE]


def test_the_permitted_directions_pass(tmp_path: Path) -> None:
    downward = {one: f"clawscope.{below}" for one, below in itertools.pairwise([*DESCENT, "protocol.jws", "kernel.text"])}
    package(tmp_path, {**downward, "kernel.text": "re", "infra.db.open": "sqlalchemy", "infra.jobs.run": "asyncio"})
    assert "3 kept, 0 broken" in judgement(tmp_path)


def test_slices_that_do_not_exist_yet_break_nothing(tmp_path: Path) -> None:
    package(tmp_path, {"kernel.text": "re"})
    assert "3 kept, 0 broken" in judgement(tmp_path)


def test_a_usecase_reaches_no_database_by_a_detour(tmp_path: Path) -> None:
    package(tmp_path, {"issuer.usecases.issue": "clawscope.infra.db.tx", "infra.db.tx": "sqlalchemy"})
    assert "2 kept, 1 broken" in judgement(tmp_path)
