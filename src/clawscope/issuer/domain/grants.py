"""What a caller may use and hand out (tokens.md §2.2, steps 5 and 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clawscope.kernel.principal import Principal


@dataclass(frozen=True, slots=True)
class Grants:
    """`tiers` and `scopes` of `None` mean all: the operator's. `ids` are the claims that tie a token to its caller for cut-offs."""

    tiers: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    client_id: str | None = None
    org_id: str | None = None

    def facts(self) -> dict[str, Any]:
        """What preflight's policy digest commits to."""
        return {"tiers": None if self.tiers is None else sorted(self.tiers), "scopes": None if self.scopes is None else sorted(self.scopes)}


def grants_of(principal: Principal) -> Grants:
    """The grants of a judged caller: an operator hands out anything; others what their credential lists."""
    claims = principal.claims
    client_id, org_id = claims.get("client_id"), claims.get("org_id")
    if principal.kind == "operator":
        return Grants()
    return Grants(frozenset(claims.get("tiers", ())), frozenset(claims.get("cst_scopes", ())), client_id, org_id)
