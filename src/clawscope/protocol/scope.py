"""Scopes: their grammar, what covers what, and the hash that commits to them (tokens.md §1.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from clawscope.kernel.text import trimmed
from clawscope.protocol import digest

_SCOPE_TOKEN = re.compile(r"[!#-\[\]-~]+")
_WILDCARD = re.compile(r"\*|[^*]+:\*")


class InvalidScope(ValueError):
    """A scope that is empty or holds other than scope-token characters."""


def is_scope_text(text: str) -> bool:
    """Whether the text is one scope-token (RFC 6749 §3.3): not empty, printable ASCII without blank, `"` and backslash."""
    return _SCOPE_TOKEN.fullmatch(text) is not None


def tidy(items: Iterable[str]) -> tuple[str, ...]:
    """The scopes trimmed, duplicates collapsed onto their first place. Raises `InvalidScope` for an empty or ill-formed one."""
    kept = dict.fromkeys(trimmed(item) for item in items)
    if not all(is_scope_text(item) for item in kept):
        raise InvalidScope("a scope is not empty and holds scope-token characters only")
    return tuple(kept)


def is_wildcard(text: str) -> bool:
    """Whether the scope is `*` or `prefix:*`."""
    return _WILDCARD.fullmatch(text) is not None


def wildcard_is_well_placed(text: str) -> bool:
    """Whether `*` stands in the scope not at all, alone, or as the whole last segment."""
    return "*" not in text or is_wildcard(text)


def covers(held: str, wanted: str) -> bool:
    """Whether a held scope permits the wanted one: equal, `*`, or `p:*` where the wanted one starts with `p:`."""
    if held == wanted or held == "*":
        return True
    return held.endswith(":*") and is_wildcard(held) and wanted.startswith(held[:-1])


def any_covers(held: Iterable[str], wanted: str) -> bool:
    """Whether one of the held scopes covers the wanted one."""
    return any(covers(one, wanted) for one in held)


def is_sensitive(scope: str, prefixes: Iterable[str]) -> bool:
    """Whether the scope starts with a sensitive prefix or covers something that does (`*`, `control:*`)."""
    reach = scope[:-1] if is_wildcard(scope) else None
    return any(scope.startswith(prefix) or (reach is not None and prefix.startswith(reach)) for prefix in prefixes)


def scope_hash(scopes: Iterable[str]) -> str:
    """`token_scope_hash_b64u`: base64url(SHA-256(the scopes trimmed, sorted by code point, joined by LF, UTF-8))."""
    return _hash(tuple(scopes))


@lru_cache(maxsize=1024)
def _hash(scopes: tuple[str, ...]) -> str:
    return digest.sha256_b64u("\n".join(sorted(trimmed(item) for item in scopes)).encode())
