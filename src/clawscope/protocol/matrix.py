"""What a token may set in motion: the transition matrix (tokens.md §3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from clawscope.protocol.claims import CANONICAL, Claims, lane
from clawscope.protocol.scope import any_covers

TRANSITIONS: Mapping[str, str] = MappingProxyType(
    {
        "controller.policy.update": "control:policy:update",
        "token.issue.sensitive": "control:token:issue_sensitive",
        "token.revoke": "control:token:revoke",
        "key.rotate": "control:key:rotate",
    }
)
"""Each transition and the scope that must be covered."""


class Entry(msgspec.Struct, frozen=True):
    """Whether one transition is open to the token, and why."""

    allowed: bool
    reason_code: str
    reason: str


def judge(claims: Claims, *, revoked: bool) -> dict[str, Entry]:
    """Every transition's entry; the first match decides.

    1. revoked. 2. a DID of the chain missing. 3. lane not canonical. 4. scope not covered. 5. allowed.
    """
    barrier = _barrier(claims, revoked)  # 1–3
    if barrier is not None:
        return dict.fromkeys(TRANSITIONS, barrier)
    return {name: _by_scope(claims, wanted) for name, wanted in TRANSITIONS.items()}  # 4, 5


def _barrier(claims: Claims, revoked: bool) -> Entry | None:
    if revoked:
        return Entry(False, "TOKEN_REVOKED", "The token has been revoked.")  # 1
    if claims.owner_did is None or claims.controller_did is None or claims.agent_did is None:
        return Entry(False, "TOKEN_CONTROL_CHAIN_MISSING", "The token names no owner, controller or agent.")  # 2
    if lane(claims) != CANONICAL:
        return Entry(False, "TOKEN_LANE_LEGACY_FORBIDDEN", "The token was not issued in the canonical lane.")  # 3
    return None


def _by_scope(claims: Claims, wanted: str) -> Entry:
    if any_covers(claims.scope, wanted):
        return Entry(True, "ALLOWED", f"The token's scopes cover {wanted}.")
    return Entry(False, "TOKEN_SCOPE_MISSING", f"The token's scopes do not cover {wanted}.")
