"""What the operator decided about identity, as the use cases need it (identity.md §13)."""

from __future__ import annotations

from dataclasses import dataclass, field

from clawscope.identity.domain.policy import PolicyRules


@dataclass(frozen=True, slots=True)
class Rules:
    """`service_did` is ours; times in seconds; `consent_required` asks for the subject's own signature."""

    service_did: str
    challenge_ttl_s: int = 600
    message_versions: tuple[str, ...] = ("1", "2")
    policy: PolicyRules = field(default_factory=PolicyRules)
    consent_required: bool = False
    transfer_ttl_s: int = 604800
    open_challenges_per_did: int = 256
