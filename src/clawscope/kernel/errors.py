"""One registry of refusal codes; every refusal names one of them (DESIGN.md, error model)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_NAME = re.compile(r"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$")
_registry: dict[str, Code] = {}


@dataclass(frozen=True, slots=True)
class Code:
    """A refusal code: one name, one HTTP status, one sentence. Call it to build the `Refusal` to raise."""

    name: str
    status: int
    message: str
    retry_after_s: int | None = None

    def __call__(self, detail: str = "", **more: Any) -> Refusal:
        """The refusal to raise; `more` takes the members of `Refusal`."""
        return Refusal(self, detail, **more)


@dataclass(slots=True)
class Refusal(Exception):
    """A typed refusal. `detail` and `fix` are for people, `details` for programs; none of them may hold a secret or the input.

    `extra` members are merged into the body, `headers` into the answer; `errors` lists the faults of a form judged whole.
    """

    code: Code
    detail: str = ""
    fix: str | None = None
    details: Mapping[str, Any] | None = None
    errors: list[Mapping[str, Any]] = field(default_factory=list)
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code.name}: {self.detail or self.code.message}"


def code(name: str, status: int, message: str, *, retry_after_s: int | None = None) -> Code:
    """Register a code once. Raises `ValueError` for a bad name or a second declaration."""
    if not _NAME.match(name) or not 400 <= status <= 599:
        raise ValueError(f"not a refusal code: {name} {status}")
    if name in _registry:
        raise ValueError(f"{name} is declared twice")
    made = Code(name, status, message, retry_after_s)
    _registry[name] = made
    return made


def registered() -> Mapping[str, Code]:
    """Every declared code by name, in order of declaration."""
    return MappingProxyType(_registry)
