"""A Python file as the laws see it: place, text, syntax tree, and what its names stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

FOLDERS = ("src", "tests", "tools", "bench")
_SKIPPED = {"__pycache__", "node_modules", ".venv"}


@dataclass(frozen=True)
class Breach:
    """Where a law is broken, and what to do."""

    path: PurePosixPath
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Source:
    """One file; `path` is relative to the project's root."""

    path: PurePosixPath
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree."""
        return list(ast.walk(self.tree))

    @property
    def is_product(self) -> bool:
        """Whether the file is shipped."""
        return self.path.parts[:2] == ("src", "clawscope")

    @property
    def inside(self) -> tuple[str, ...]:
        """The path below the package without `.py`: `("infra", "db", "open")`; empty for files that are not shipped."""
        return (*self.path.parts[2:-1], self.path.stem) if self.is_product else ()

    def breach(self, node: ast.AST | int, text: str) -> Breach:
        """A breach at a node or line."""
        return Breach(self.path, node if isinstance(node, int) else getattr(node, "lineno", 1), text)

    @cached_property
    def imports(self) -> list[tuple[ast.stmt, str]]:
        """Every absolute import as (statement, dotted module); for `from a import b` also `a.b`."""
        found: list[tuple[ast.stmt, str]] = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(node, name.name) for name in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found += [(node, f"{node.module}.{name.name}") for name in node.names]
        return found

    @cached_property
    def references(self) -> list[tuple[ast.expr, str]]:
        """Every use of an imported name, spelled out: `dt.now` after `from datetime import datetime as dt` is `datetime.datetime.now`."""
        meant: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                meant.update(
                    {name.asname or name.name.split(".")[0]: name.name if name.asname else name.name.split(".")[0] for name in node.names}
                )
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                meant.update({name.asname or name.name: f"{node.module}.{name.name}" for name in node.names})
        spelled = ((node, _spelled(node, meant)) for node in self.nodes if isinstance(node, ast.Name | ast.Attribute))
        return [(node, text) for node, text in spelled if text]


def sources(root: Path) -> Iterator[Source]:
    """Every Python file of the project, in a fixed order."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            if not _SKIPPED.intersection(path.parts):
                yield Source(PurePosixPath(path.relative_to(root).as_posix()), path.read_text(encoding="utf-8"))


def _spelled(node: ast.expr, meant: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return meant.get(node.id, "")
    if isinstance(node, ast.Attribute):
        head = _spelled(node.value, meant)
        return f"{head}.{node.attr}" if head else ""
    return ""
