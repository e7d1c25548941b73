"""A challenge: one message to sign once, before its time is over (identity.md §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clawscope.identity.domain import purposes
from clawscope.protocol import jcs

# An expired challenge is told from an unknown one for an hour.
REMEMBERED_S = 3600


@dataclass(frozen=True, slots=True)
class Challenge:
    """`owner_did` is whose signature is expected; `bound` holds the further fields it was made for; `expires_at` in epoch seconds."""

    challenge_id: str
    purpose: str
    owner_did: str
    nonce: str
    message: str
    expires_at: int
    bound: Mapping[str, Any] = field(default_factory=dict)

    def is_remembered(self, now: int) -> bool:
        """Whether it still exists for callers."""
        return now <= self.expires_at + REMEMBERED_S

    def is_expired(self, now: int) -> bool:
        """Whether its last good second is over."""
        return now > self.expires_at

    def is_for(self, owner_did: str, fields: Mapping[str, Any]) -> bool:
        """Whether it was made for this owner and these values of its bound fields (absent = `None`)."""
        return self.owner_did == owner_did and all(self.bound.get(name) == value for name, value in fields.items())


@dataclass(frozen=True, slots=True)
class Draft:
    """What a message says: the fields, client-chosen context and the server's context by name."""

    purpose: str
    owner_did: str
    challenge_id: str
    nonce: str
    expires_at: int
    controller_did: str | None = None
    agent_did: str | None = None
    parts: Sequence[str] = ()
    context: Mapping[str, str] = field(default_factory=dict)


def message_v1(draft: Draft) -> str:
    """The wire's message, signed as UTF-8 exactly as it stands."""
    if draft.purpose in (purposes.BIND, purposes.REVOKE):
        return f"clawclaim:{draft.purpose}:v1:{draft.challenge_id}:{draft.nonce}:{draft.expires_at}"
    context = "|".join([*draft.parts, *(f"{name}={value}" for name, value in draft.context.items())])
    named = [draft.purpose, "v1", draft.challenge_id, draft.owner_did, draft.controller_did or "-", draft.agent_did or "-"]
    return ":".join(["clawclaim", *named, *([context] if context else []), draft.nonce, str(draft.expires_at)])


def message_v2(draft: Draft, audience: str) -> str:
    """One canonical JSON object: no delimiter to confuse, and bound to the service it is meant for."""
    context: dict[str, Any] = dict(draft.context)
    if draft.parts:
        context["context_parts"] = list(draft.parts)
    stated = {"controller_did": draft.controller_did, "agent_did": draft.agent_did, "context": context or None}
    body = {
        "audience": audience,
        "challenge_id": draft.challenge_id,
        "challenge_version": "2",
        "exp": draft.expires_at,
        "nonce": draft.nonce,
        "owner_did": draft.owner_did,
        "purpose": draft.purpose,
        **{name: value for name, value in stated.items() if value is not None},
    }
    return f"clawclaim:{draft.purpose}:v2:" + jcs.canonical(body).decode()
