"""Takes every secret out of what is about to be printed: by type, by the name it stands under, by its shape, by its value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from clawscope.kernel.secret import Secret

HIDDEN = "***"
_DEEPEST = 8
_SHORTEST_KNOWN = 8  # shorter values would blank out ordinary words

_STEMS = "authori[sz]ation|token|seed|secret|passw(?:or)?d|passphrase|cookie|pepper|api[_-]?key|private[_-]?key|master[_-]?key"
_STEMS += "|operator[_-]?key|signing[_-]?key|statement[_-]?key|credentials|x[_-]cst"
_SENSITIVE = re.compile(_STEMS, re.IGNORECASE)
# Names of facts about tokens that are safe by contract: hashes, kinds, counts, public ids.
_HARMLESS = re.compile(r"(?:[a-z]+_)*tokens?_(?:hash(?:es)?|scope_hash_b64u|lane|tier|type|version|id|ids|name|names|count)", re.IGNORECASE)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Possessive quantifiers and look-behinds keep every pattern linear: log texts may be long and hostile.
_B64 = "A-Za-z0-9_+/="  # beside the hyphen, which must stand last
_DOTTED = re.compile(rf"(?<![{_B64}.-])\.*+[{_B64}-]++(?:\.[{_B64}-]*+)++")
_JOSE_START = re.compile(r"ey[AJ]|ew[o0]")  # base64 of `{"`, `{ ` or `{` and a line end
_SHAPES = (
    (
        re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL),
        "[private key]",
    ),
    (re.compile(r"\b(bearer|dpop)(\s++)[^\s,;'\"<>]++", re.IGNORECASE), rf"\1\2{HIDDEN}"),
    (re.compile(r"\b(basic)(\s++)[A-Za-z0-9+/=_-]{6,}+", re.IGNORECASE), rf"\1\2{HIDDEN}"),
    (re.compile(r"\b[a-z]{2,16}_(?:live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]++"), "[api token]"),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{16,}+"), "[provider key]"),
    (re.compile(r"(\w://)[^\s/'\"]+@"), rf"\1{HIDDEN}@"),
)
_NAME = re.compile(r"""(?<![\w-])(?P<name>[\w-]++)['"]?+\s*+(?:=|:|,(?=\s*+b?['"]))\s*+[\[({]*+""")
_VALUE = re.compile(
    r"""b?"(?:[^"\\]|\\.)*+"?|b?'(?:[^'\\]|\\.)*+'?|(?:(?:bearer|basic|dpop)\s++)?[^\s,;&(){}\[\]'"]++""", re.IGNORECASE | re.DOTALL
)


class Redactor:
    """Scrubs values of any shape; `known` are the configured secrets, which go wherever they turn up."""

    def __init__(self, known: Iterable[Secret] = ()) -> None:
        words = sorted({one.reveal() for one in known if len(one.reveal()) >= _SHORTEST_KNOWN}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, words))) if words else None

    def text(self, text: str) -> str:
        """The text without anything that is, or looks like, a secret."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        return _without_named(_DOTTED.sub(_without_jose, text))

    def value(self, value: Any, depth: int = 0) -> Any:
        """The value, fit to be printed: containers are copied, bytes become their size, other objects their scrubbed repr."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"[{len(value)} bytes]"
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._container(value, depth)
        return self.text(repr(value))

    def fields(self, fields: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
        """A mapping whose values under a secret's name are hidden and whose other values are scrubbed."""
        return {self.text(str(name)): self._named(str(name), value, depth) for name, value in fields.items()}

    def _named(self, name: str, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool) or not is_sensitive(name):
            return self.value(value, depth)
        # A count such as tokens_input is a number; a seed never passes, not even as one.
        return value if isinstance(value, int | float) and "tokens" in name.lower() else HIDDEN

    def _container(self, value: Any, depth: int) -> Any:
        if depth >= _DEEPEST:
            return "[deeper]"
        if isinstance(value, Mapping):
            return self.fields(value, depth + 1)
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str | bytes):
            return self._pair(value, depth)
        return [self.value(item, depth + 1) for item in value]

    def _pair(self, pair: tuple[Any, Any], depth: int) -> list[Any]:
        """A (name, value) pair, as header lists hold them."""
        name = pair[0].decode("latin-1") if isinstance(pair[0], bytes) else pair[0]
        return [self.text(name), self._named(name, pair[1], depth + 1)]


def is_sensitive(name: str) -> bool:
    """Whether a value under this name is hidden whatever it looks like."""
    plain = _HUMP.sub("_", name).replace("-", "_")
    return _SENSITIVE.search(plain) is not None and _HARMLESS.fullmatch(plain) is None


def _without_jose(run: re.Match[str]) -> str:
    start = _JOSE_START.search(run.group())
    if start is None or "." not in run.group()[start.end() :]:
        return run.group()
    return f"{run.group()[: start.start()]}[token]"


def _without_named(text: str) -> str:
    """The text with `name=value`, `name: value` and `('name', 'value')` hidden where the name is a secret's."""
    if _SENSITIVE.search(text) is None:
        return text
    parts: list[str] = []
    kept = at = 0
    while (name := _NAME.search(text, at)) is not None:
        at = name.end()
        value = _VALUE.match(text, at) if is_sensitive(name["name"]) else None
        if value is not None:
            parts += [text[kept:at], HIDDEN]
            kept = at = value.end()
    return "".join([*parts, text[kept:]])
