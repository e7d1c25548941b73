"""How a pure check answers: it allows, or it denies with a registered code."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.kernel.errors import Code


@dataclass(frozen=True, slots=True)
class Allowed:
    """Nothing stands in the way."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The first failed check: its code, a sentence for people without any input in it, and the claim or member at fault."""

    code: Code
    detail: str = ""
    field: str | None = None


ALLOWED = Allowed()
