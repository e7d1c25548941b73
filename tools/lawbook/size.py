"""Files and functions stay short enough to be read whole."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tools.lawbook.source import Breach, Source

FILE_LINES = 300
FUNCTION_LINES = 40


def short_files(source: Source) -> Iterator[Breach]:
    """No file has more than 300 lines; a step of the schema's history is one file, however long."""
    if "versions" in source.path.parts:
        return
    lines = source.text.count("\n") + (not source.text.endswith("\n"))
    if lines > FILE_LINES:
        yield source.breach(1, f"the file has {lines} lines; split it by subject (at most {FILE_LINES})")


def short_functions(source: Source) -> Iterator[Breach]:
    """No function has more than 40 lines, docstring included, decorators not; a table of the schema's history is one function."""
    if "versions" in source.path.parts:
        return
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield source.breach(node, f"{node.name} has {lines} lines; name its parts (at most {FUNCTION_LINES})")
