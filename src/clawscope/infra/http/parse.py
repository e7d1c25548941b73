"""Reading what a request brings: bounded bodies, strict JSON, forms, queries. Unknown members are refused by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from clawscope.kernel.codes import INVALID_JSON, INVALID_QUERY, INVALID_REQUEST, PAYLOAD_TOO_LARGE
from clawscope.kernel.text import is_storable
from clawscope.protocol.strict_json import NotJson, parse

MOST_STRING = 65_536
_MOST_PARAMETERS = 64
_MOST_INTEGER = 2**53 - 1


class Receive(Protocol):
    """The ASGI receive callable."""

    async def __call__(self) -> Any:
        """The next ASGI message."""
        ...


async def read_body(receive: Receive, headers: list[tuple[bytes, bytes]], most: int) -> bytes:
    """The whole body. Raises 413 `PAYLOAD_TOO_LARGE` as soon as more than `most` bytes are announced or sent."""
    for name, value in headers:
        if name == b"content-length" and (not value.isdigit() or int(value) > most):
            raise PAYLOAD_TOO_LARGE(f"at most {most} bytes", headers={"Connection": "close"})
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise INVALID_REQUEST("the client went away before the body ended")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise PAYLOAD_TOO_LARGE(f"at most {most} bytes", headers={"Connection": "close"})
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def read_json(raw: bytes, kind: Any, *, exact: bool = False) -> Any:
    """A JSON object as `kind`; with `exact`, fractions come as decimals.

    Raises `INVALID_JSON` (not one strict JSON text) or `INVALID_REQUEST` (naming the member).
    """
    if kind is None:
        if raw.strip() not in (b"", b"{}"):
            raise INVALID_REQUEST("this route takes no body", fix="send an empty body")
        return None
    try:
        value = parse(raw, exact=exact)
    except NotJson as error:
        raise INVALID_JSON(str(error), fix="send one JSON object in UTF-8") from None
    if not isinstance(value, dict):
        raise INVALID_REQUEST("the body is not a JSON object", fix="send one JSON object")
    # Strict JSON holds a NUL only as an escape, and lone surrogates not at all: most bodies need no walk.
    if b"\\u0000" in raw or len(raw) > MOST_STRING:
        refuse_unstorable(value)
    for name, member in value.items():
        if member is None:
            raise INVALID_REQUEST(f"{_shown(name)}: is null", fix="leave an absent member out")
    return _convert(value, kind, builtin_types=(Decimal,) if exact else None)


def read_form(raw: bytes, headers: list[tuple[bytes, bytes]], kind: Any, repeatable: frozenset[str]) -> Any:
    """Form parameters as `kind`; each at most once but `repeatable`, which become lists. Raises `INVALID_REQUEST`."""
    content_type = next((value for name, value in headers if name == b"content-type"), b"")
    if content_type.split(b";")[0].strip().lower() != b"application/x-www-form-urlencoded":
        raise INVALID_REQUEST("the body is not a form", fix="send Content-Type: application/x-www-form-urlencoded")
    values: dict[str, Any] = {}
    for name, text in _pairs(raw, INVALID_REQUEST):
        if name in repeatable:
            values.setdefault(name, []).append(text)
        elif name in values:
            raise INVALID_REQUEST(f"parameter {_shown(name)} is repeated", fix="send each parameter once")
        elif text:
            values[name] = text
    refuse_unstorable(values)
    return _convert(values, kind, strict=False)


def read_query(raw: bytes, kind: Any) -> Any:
    """Query parameters as `kind`. Raises `INVALID_QUERY` for an unknown, repeated or ill-typed one."""
    if kind is None and not raw:
        return None
    values: dict[str, Any] = {}
    for name, text in _pairs(raw, INVALID_QUERY):
        if name in values:
            raise INVALID_QUERY(f"{_shown(name)} is repeated", fix="send each parameter once")
        values[name] = text
    known = kind.__struct_encode_fields__ if kind is not None else ()
    for name in values:
        if name not in known:
            raise INVALID_QUERY(f"unknown parameter {_shown(name)}", fix="known here: " + (", ".join(known) or "none"))
    if any(not is_storable(text, 4096) for text in values.values()):
        raise INVALID_QUERY("a parameter is too long or holds a NUL")
    if kind is None:
        return None
    try:
        query = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise INVALID_QUERY(_named(error)) from None
    for name in kind.__struct_fields__:
        value = getattr(query, name)
        if isinstance(value, int) and abs(value) > _MOST_INTEGER:
            raise INVALID_QUERY(f"{name} is beyond every sensible number")
    return query


def refuse_unstorable(value: Any) -> None:
    """Walk a parsed value. Raises `INVALID_REQUEST` for a string with a NUL or lone surrogate, or one beyond every store's bound."""
    if isinstance(value, str):
        if not is_storable(value, MOST_STRING):
            raise INVALID_REQUEST("a string is too long, holds a NUL or a lone surrogate", fix="shorten or clean the text")
    elif isinstance(value, dict):
        for name, member in value.items():
            refuse_unstorable(name)
            refuse_unstorable(member)
    elif isinstance(value, list):
        for member in value:
            refuse_unstorable(member)


def _pairs(raw: bytes, code: Any) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, strict_parsing=bool(raw), errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise code("not well-formed name=value pairs in UTF-8", fix="percent-encode names and values") from None


def _convert(value: dict[str, Any], kind: Any, *, strict: bool = True, builtin_types: tuple[type, ...] | None = None) -> Any:
    try:
        return msgspec.convert(value, kind, strict=strict, builtin_types=builtin_types)
    except msgspec.ValidationError as error:
        raise INVALID_REQUEST(_named(error)) from None


def _named(error: msgspec.ValidationError) -> str:
    # msgspec names the member and the expected type; an unknown member's own name is cut so that input is not echoed at length.
    text = str(error)
    return text if len(text) <= 200 else text[:197] + "…"


def _shown(name: str) -> str:
    return "".join(char if " " < char <= "~" else "?" for char in name[:64])
