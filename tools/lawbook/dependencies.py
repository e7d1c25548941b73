"""What may be imported where, beyond the layers that import-linter keeps."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from tools.lawbook.source import Breach, Source

# Part -> what it may import beside the standard library and itself.
PURE = {"kernel": set[str](), "protocol": {"clawscope.kernel", "msgspec", "nacl", "rfc8785"}}
_STORE_WORDS = {"store", "stores", "tables"}
_HTTP_WORDS = {"routes", "wire"}


def absolute_imports(source: Source) -> Iterator[Breach]:
    """Nothing is imported by a relative path."""
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and node.level:
            yield source.breach(node, "write the import from the package's root")


def pure_parts(source: Source) -> Iterator[Breach]:
    """`kernel` needs the standard library alone; `protocol` also kernel, PyNaCl, msgspec and rfc8785."""
    part = source.inside[0] if source.inside else ""
    if part not in PURE:
        return
    for node, module in source.imports:
        known = module.split(".")[0] in sys.stdlib_module_names and module.split(".")[0] != "asyncio"
        if not known and not _is_in(module, {f"clawscope.{part}", *PURE[part]}):
            yield source.breach(node, f"{part} does not import {module}")


def libraries_in_their_place(source: Source) -> Iterator[Breach]:
    """SQLAlchemy in stores and tables, Litestar in routes and wire shapes, the HTTP client in `infra/net`, the server in `main`."""
    if not source.is_product:
        return
    for node, module in source.imports:
        library = module.split(".")[0]
        if library in ("sqlalchemy", "alembic") and not _may_hold_sql(source):
            yield source.breach(node, f"{library} belongs in infra/db, migrations, store or tables")
        elif library in ("litestar", "starlette") and not _may_hold_http(source):
            yield source.breach(node, f"{library} belongs in infra/http, routes, wire or main")
        elif library in ("aiohttp", "httpx", "requests", "urllib3") and source.inside[:2] not in (("infra", "net"), ("infra", "http")):
            yield source.breach(node, f"{library} belongs in infra/net")
        elif library in ("uvicorn", "uvloop") and source.inside[0] != "main" and source.inside[:2] != ("infra", "http"):
            yield source.breach(node, f"{library} belongs in main or infra/http")


def _may_hold_sql(source: Source) -> bool:
    return source.inside[:2] == ("infra", "db") or "migrations" in source.inside or _named_with(source, _STORE_WORDS)


def _may_hold_http(source: Source) -> bool:
    return source.inside[:2] == ("infra", "http") or source.inside[0] == "main" or _named_with(source, _HTTP_WORDS)


def _named_with(source: Source, words: set[str]) -> bool:
    return any(words.intersection(part.split("_")) for part in source.inside[1:])


def _is_in(module: str, allowed: set[str]) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in allowed)
