"""One reason against issuing: the same object refuses an issue and explains a preflight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawscope.kernel.errors import Code, Refusal


@dataclass(frozen=True, slots=True)
class Denial:
    """`value` is the offending value where it is safe to show, `rule` the rule that denied, `suggestion` what to change."""

    code: Code
    field: str
    suggestion: str
    value: str | None = None
    rule: str | None = None
    details: Mapping[str, Any] | None = None

    def refusal(self) -> Refusal:
        """The refusal an issue answers."""
        return self.code(f"{self.field}: {self.code.message}", fix=self.suggestion, details=self.details)
