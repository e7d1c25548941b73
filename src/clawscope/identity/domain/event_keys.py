"""The opaque keys under which the ecosystem's clients know a change (identity.md §4)."""

from __future__ import annotations

_FAR = 9_999_999_999


def binding_key(now: int, did: str, challenge_id: str) -> str:
    """The key of a revoked binding; newer keys sort first."""
    return f"events:bindings:{_FAR - now:010d}:revoke:{did}:{challenge_id}"


def control_key(now: int, slug: str, owner_did: str, token: str) -> str:
    """The key of any other change; `token` is its challenge id or bundle hash."""
    return f"events:control-plane:{_FAR - now:010d}:{slug}:{owner_did}:{token}"
