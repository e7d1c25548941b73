"""Turns what a file or a variable holds into the type a setting declares; says what to write instead, never what was there."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from clawscope.infra.config.declaring import Declared
from clawscope.kernel.secret import Secret

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_WANTED = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Secret: "text (a secret)",
    tuple[str, ...]: "a list of texts",
    dict[str, str]: "a table of texts",
    dict[str, Secret]: "a table of texts (secrets)",
}


class Unfit(ValueError):
    """A value that does not fit its setting; the text says what would."""


def from_file(one: Declared, value: Any) -> Any:
    """The typed value of a TOML (or dev mode) value, within its bounds. Raises `Unfit`."""
    return _bounded(one, _typed(one, value))


def from_variable(one: Declared, text: str) -> Any:
    """The typed value of an environment variable; lists and tables are JSON. Raises `Unfit`."""
    if text == "" and one.kind is not str:
        raise Unfit(f"is set but empty; write {wanted(one)} or leave the variable out")
    if one.kind in (str, Secret):
        return from_file(one, text)
    if one.kind is bool:
        value: Any = _BOOLEANS.get(text.lower())
    elif one.kind is int:
        value = int(text) if _WHOLE.fullmatch(text) else None
    elif one.kind is float:
        value = float(text) if _NUMBER.fullmatch(text) else None
    else:
        value = _json(one, text)
    return from_file(one, value)


def wanted(one: Declared) -> str:
    """What may be written: type, unit, bounds or choices."""
    if one.meta.choices:
        return f"{'one of' if one.kind is str else 'any of'} {', '.join(one.meta.choices)}"
    return _WANTED[one.kind] + (f" in {one.meta.unit}" if one.meta.unit else "") + _bounds(one)


def _typed(one: Declared, value: Any) -> Any:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if one.kind is int and isinstance(value, int) and plain:
        return value
    if one.kind is float and plain and math.isfinite(value):
        return float(value)
    if one.kind is bool and isinstance(value, bool):
        return value
    if one.kind is str and isinstance(value, str):
        return _clean(one, value)
    if one.kind is Secret and isinstance(value, str | Secret) and _reveal(value):
        return Secret(_clean(one, _reveal(value)))
    if one.kind == tuple[str, ...] and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(_clean(one, item) for item in value)
    if one.kind == dict[str, str] and isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return {key: _clean(one, item) for key, item in value.items()}
    if one.kind == dict[str, Secret] and isinstance(value, dict) and all(_is_secret(item) for item in value.values()):
        return {key: Secret(_clean(one, _reveal(item))) for key, item in value.items()}
    raise Unfit(f"write {wanted(one)}")


def _bounded(one: Declared, value: Any) -> Any:
    meta = one.meta
    if meta.choices and any(item not in meta.choices for item in ((value,) if isinstance(value, str) else value)):
        raise Unfit(f"write {wanted(one)}")
    size = value if isinstance(value, int | float) else len(_reveal(value))
    if (meta.low is not None and size < meta.low) or (meta.high is not None and size > meta.high):
        raise Unfit(f"write {wanted(one)}")
    return value


def _bounds(one: Declared) -> str:
    low, high = one.meta.low, one.meta.high
    what = {str: " characters", Secret: " characters", int: "", float: ""}.get(one.kind, " entries")
    if low is not None and high is not None:
        return f" from {low:.16g} to {high:.16g}{what}"
    if low is not None:
        return f" of at least {low:.16g}{what}"
    return f" of at most {high:.16g}{what}" if high is not None else ""


def _json(one: Declared, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError):
        raise Unfit(f"write {wanted(one)} as JSON") from None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _is_secret(value: Any) -> bool:
    return isinstance(value, str | Secret) and bool(_reveal(value))


def _reveal(value: Any) -> Any:
    return value.reveal() if isinstance(value, Secret) else value


def _clean(one: Declared, text: str) -> str:
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise Unfit(f"holds a NUL or broken UTF-8; write {wanted(one)}")
    return text
