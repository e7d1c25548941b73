"""Who is calling, by which credential, and how far that credential reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SYSTEM_ADMIN = "did:system:scope-admin"


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose rows and tokens a caller may touch (tokens.md §5, step 8): everybody's, an organisation's, an owner's, or one client's."""

    everything: bool = False
    org_id: str | None = None
    owner_did: str | None = None
    client_id: str | None = None

    def covers(self, org_id: str | None, owner_did: str | None, client_id: str | None = None) -> bool:
        """Whether a row of that organisation, owner and client lies within reach."""
        if self.everything:
            return True
        if self.client_id is not None:
            return self.client_id == client_id
        if self.org_id is not None:
            return self.org_id == org_id
        return self.owner_did is not None and self.owner_did == owner_did


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: `kind` is `anonymous`, `operator`, `cst` or `api_token`; `credential` names it in audit rows, never its secret."""

    kind: str
    subject: str
    credential: str
    permissions: frozenset[str] = frozenset()
    reach: Reach = field(default_factory=Reach)
    claims: Mapping[str, Any] = field(default_factory=dict)
    token_hash: str | None = None

    def may(self, permission: str) -> bool:
        """Whether the caller holds a permission; the operator holds every one."""
        return self.kind == "operator" or permission in self.permissions


ANONYMOUS = Principal("anonymous", "anonymous", "none")


def operator(name: str) -> Principal:
    """The principal of a named operator key."""
    return Principal("operator", SYSTEM_ADMIN, f"operator:{name}", reach=Reach(everything=True))
