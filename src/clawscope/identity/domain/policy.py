"""The sensitive policy of a controller: which control scopes its agents may hold (identity.md §5)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clawscope.kernel.clock import iso_ms
from clawscope.kernel.text import trimmed
from clawscope.protocol.digest import sha256_b64u
from clawscope.protocol.scope import is_scope_text

PREFIX = "control:"
# In this order by wire; the same four sent explicitly are sorted, so their hash differs.
DEFAULT_SCOPES = ("control:token:issue_sensitive", "control:token:revoke", "control:key:rotate", "control:policy:update")
_MOST_SCOPES = 64
_MOST_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """What a challenge that names no policy admits (identity.md §13)."""

    unbound_scopes: frozenset[str] = frozenset({*DEFAULT_SCOPES, "control:audit:read"})
    require_bound: bool = False

    def admits_unbound(self, scopes: Sequence[str]) -> bool:
        """Whether these scopes may be set under a challenge made without them; a wildcard never may."""
        wanted = set(scopes)
        if any("*" in scope for scope in wanted):
            return False
        return wanted == set(DEFAULT_SCOPES) if self.require_bound else wanted <= self.unbound_scopes


def chosen_scopes(asked: Sequence[str] | None) -> tuple[str, ...] | None:
    """The scopes as they are stored: the default in its order if absent, else distinct and sorted; `None` if not admissible."""
    if asked is None:
        return DEFAULT_SCOPES
    scopes = {trimmed(one) for one in asked}
    if not 1 <= len(asked) <= _MOST_SCOPES or not all(_is_sensitive(one) for one in scopes):
        return None
    return tuple(sorted(scopes))


def policy_hash(owner_did: str, scopes: Sequence[str]) -> str:
    """The wire hash: SHA-256 of compact JSON in the order of its members, scopes as stored."""
    text = json.dumps(
        {"policy_version": "1", "mode": "owner_bound", "owner_did": owner_did, "allowed_sensitive_scopes": list(scopes)},
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return sha256_b64u(text.encode())


def policy_body(owner_did: str, scopes: Sequence[str], updated_at: int) -> dict[str, Any]:
    """The policy as it is answered."""
    return {
        "policy_version": "1",
        "mode": "owner_bound",
        "owner_did": owner_did,
        "allowed_sensitive_scopes": list(scopes),
        "policy_hash_b64u": policy_hash(owner_did, scopes),
        "updated_at": updated_at,
        "updated_at_iso": iso_ms(updated_at),
    }


def _is_sensitive(scope: str) -> bool:
    return len(scope) <= _MOST_CHARACTERS and scope.startswith(PREFIX) and is_scope_text(scope)
