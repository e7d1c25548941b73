"""One place turns the unexpected into an answer; everywhere else errors are caught by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tools.lawbook.source import Breach, Source

_TOO_WIDE = {"Exception", "BaseException"}

# Files that catch everything, and why they must.
ALLOWED = {
    "src/clawscope/infra/http/application.py": "a start that fails is told to the server with its reason, whatever it was",
    "src/clawscope/infra/jobs/runner.py": "a job that failed is logged and has its next turn; the others go on",
    "src/clawscope/infra/http/problem.py": "the one renderer of errors",
    "src/clawscope/infra/db/batch.py": "one function's error is that function's outcome; its neighbours in the batch go on",
    "src/clawscope/infra/db/postgres.py": "the batch hands whatever a function raised to the task that waits for it",
    "src/clawscope/infra/db/shared_read.py": "every task that shares the read is handed what it raised",
    "src/clawscope/infra/db/sqlite.py": "the writer thread hands whatever a function raised to the task that waits for it",
}


def one_catch_all(source: Source) -> Iterator[Breach]:
    """`except Exception`, bare `except` and `suppress(Exception)` stand only in the files named here with a reason."""
    if not source.is_product or source.path.as_posix() in ALLOWED:
        return
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler) and (node.type is None or _is_too_wide(node.type)):
            yield source.breach(node, "catch the errors you expect by name; infra/http/problem.py answers the rest")
        elif isinstance(node, ast.Call) and _last_name(node.func) == "suppress" and any(map(_is_too_wide, node.args)):
            yield source.breach(node, "suppress the errors you expect by name")


def _is_too_wide(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return any(map(_is_too_wide, node.elts))
    return _last_name(node) in _TOO_WIDE


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
