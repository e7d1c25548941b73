"""Checks what linters do not know of this house: `python -m tools.laws [ROOT]` prints each breach and exits 1 if there is one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tools.lawbook import calls, catching, dependencies, docstrings, ignores, names, size
from tools.lawbook.source import Breach, Source, sources

LAWS = (
    size.short_files,
    size.short_functions,
    names.telling_names,
    dependencies.absolute_imports,
    dependencies.pure_parts,
    dependencies.libraries_in_their_place,
    calls.one_clock,
    calls.one_source_of_randomness,
    calls.one_reader_of_the_environment,
    catching.one_catch_all,
    ignores.ignores_with_reasons,
    docstrings.module_docstrings,
    docstrings.public_docstrings,
)


def breaches(root: Path) -> Iterator[Breach]:
    """Every breach in the Python files below `root`, file by file."""
    for source in sources(root):
        yield from judge(source)


def judge(source: Source) -> Iterator[Breach]:
    """Every breach in one file."""
    for law in LAWS:
        yield from law(source)


def main(root: Path) -> int:
    """Print all breaches; the exit code."""
    found = list(breaches(root))
    for breach in found:
        print(breach)
    print(f"laws: {len(found)} broken" if found else "laws: kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
