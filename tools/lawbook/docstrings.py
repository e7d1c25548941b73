"""Every module and every public name says what it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tools.lawbook.source import Breach, Source

MODULE_LINES = 3
_Named = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_SILENT_DECORATORS = {"overload", "override", "setter", "deleter"}


def module_docstrings(source: Source) -> Iterator[Breach]:
    """Every module opens with a docstring of one to three lines."""
    text = ast.get_docstring(source.tree)
    if text is None:
        yield source.breach(1, "the module says nothing of itself; give it a docstring")
    elif source.is_product and len(text.strip().splitlines()) > MODULE_LINES:
        yield source.breach(1, f"the module's docstring is longer than {MODULE_LINES} lines; the rest belongs to its names")


def public_docstrings(source: Source) -> Iterator[Breach]:
    """Every public class, function and method of the product has a docstring."""
    if source.is_product:
        for node in _public(source.tree):
            if ast.get_docstring(node) is None:
                yield source.breach(node, f"{node.name} says nothing of itself; give it a docstring of one sentence")


def _public(parent: ast.Module | ast.ClassDef) -> Iterator[_Named]:
    for node in parent.body:
        if (
            isinstance(node, _Named)
            and not node.name.startswith("_")
            and not _SILENT_DECORATORS.intersection(map(_decorator, node.decorator_list))
            and not _is_listed_by_port(parent, node)
        ):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _is_listed_by_port(parent: ast.Module | ast.ClassDef, node: _Named) -> bool:
    """A port lists most of its methods by signature alone: the class says what they are for, their names the rest."""
    if not isinstance(parent, ast.ClassDef) or isinstance(node, ast.ClassDef):
        return False
    only = node.body[0] if len(node.body) == 1 else None
    bare = isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant) and only.value.value is Ellipsis
    return bare and any(_decorator(base) == "Protocol" for base in parent.bases)


def _decorator(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
