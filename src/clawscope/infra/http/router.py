"""From a path to the endpoints declared at it. Fixed paths are found in a table; parameters are whole segments, decoded once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from clawscope.kernel.codes import INVALID_REQUEST

Target = TypeVar("Target")

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_NOTHING: Mapping[str, str] = {}


class Router(Generic[Target]):
    """Paths such as `/v1/keys/{kid}/activate`. A trailing slash is another path; a literal segment wins over a parameter."""

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._fixed = {path.encode(): target for path, target in targets.items() if "{" not in path}
        self._shapes: dict[int, list[tuple[tuple[str | None, ...], tuple[str, ...], Target]]] = {}
        for path, target in targets.items():
            if "{" in path:
                segments = path.split("/")
                shape = tuple(None if _PARAMETER.fullmatch(one) else one for one in segments)
                self._shapes.setdefault(len(segments), []).append((shape, tuple(_PARAMETER.findall(path)), target))
        for shapes in self._shapes.values():
            shapes.sort(key=lambda entry: [one is None for one in entry[0]])

    def find(self, raw_path: bytes) -> tuple[Target, Mapping[str, str]] | None:
        """The target and the decoded parameters of a path as it was sent. Raises `INVALID_REQUEST` for a segment that is not UTF-8."""
        found = self._fixed.get(raw_path)
        if found is not None:
            return found, _NOTHING
        segments = raw_path.decode("latin-1").split("/")
        for shape, names, target in self._shapes.get(len(segments), ()):
            if all(wanted is None or wanted == sent for wanted, sent in zip(shape, segments, strict=True)):
                values = [_decoded(sent) for wanted, sent in zip(shape, segments, strict=True) if wanted is None]
                return (target, dict(zip(names, values, strict=True))) if all(values) else None
        return None


def _decoded(segment: str) -> str:
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise INVALID_REQUEST("a path segment is not UTF-8", fix="percent-encode the UTF-8 bytes once") from None
    if "\x00" in text or len(text) > 2048:
        raise INVALID_REQUEST("a path segment holds a NUL or is too long")
    return text
