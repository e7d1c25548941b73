"""JSON with one reading only: no duplicate members, no foreign numbers, bounded depth (DESIGN.md §4, ruling 2)."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from math import isinf
from typing import Any, NoReturn

# A string, closed or running to the end of the text, or one bracket. Linear: no quote is looked at twice.
_STRINGS_AND_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_BLANKS = " \t\n\r"


class NotJson(ValueError):
    """The bytes are not one JSON value in the strict sense; the text never quotes them."""


def parse(raw: bytes, *, max_depth: int = 32, max_int_digits: int = 20, exact: bool = False) -> Any:
    """The one value in `raw`: UTF-8 without BOM, no duplicate member, no NaN or infinity, no lone surrogate.

    Numbers with a fraction or exponent become `float`, or `Decimal` when `exact`; both are refused when a double cannot
    hold their size. Raises `NotJson`, never `RecursionError`.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJson("not UTF-8") from None
    _refuse_depth(text, max_depth)
    try:
        value, end = _decoder(max_int_digits, exact).raw_decode(text.lstrip(_BLANKS))
    except NotJson:
        raise
    except (ValueError, RecursionError):
        raise NotJson("not well-formed") from None
    if text.lstrip(_BLANKS)[end:].strip(_BLANKS):
        raise NotJson("something follows the value")
    if _SURROGATE_ESCAPE.search(text):
        _refuse_lone_surrogates(value)
    return value


def _refuse_depth(text: str, most: int) -> None:
    if text.count("[") + text.count("{") <= most:
        return
    depth = 0
    for found in _STRINGS_AND_BRACKETS.finditer(text):
        first = text[found.start()]
        if first in "[{":
            depth += 1
            if depth > most:
                raise NotJson("nested too deeply")
        elif first in "]}":
            depth -= 1


def _refuse_lone_surrogates(value: Any) -> None:
    if isinstance(value, str):
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise NotJson("a lone surrogate")
    elif isinstance(value, dict):
        for name, member in value.items():
            _refuse_lone_surrogates(name)
            _refuse_lone_surrogates(member)
    elif isinstance(value, list):
        for item in value:
            _refuse_lone_surrogates(item)


@lru_cache(maxsize=8)
def _decoder(max_int_digits: int, exact: bool) -> json.JSONDecoder:
    def integer(text: str) -> int:
        if len(text.lstrip("-")) > max_int_digits:
            raise NotJson("an integer with too many digits")
        return int(text)

    return json.JSONDecoder(
        object_pairs_hook=_members,
        parse_float=_decimal if exact else _double,
        parse_int=integer,
        parse_constant=_constant,
    )


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("a member occurs twice")
    return members


def _double(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise NotJson("a number too large")
    return number


def _decimal(text: str) -> Decimal:
    _double(text)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise NotJson("a number too small") from None


def _constant(_: str) -> NoReturn:
    raise NotJson("not a JSON number")
