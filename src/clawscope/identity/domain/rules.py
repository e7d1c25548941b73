"""What the operator decided about identity, as the use cases need it (identity.md §13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clawscope.identity.domain.policy import PolicyRules


@dataclass(frozen=True, slots=True)
class Rules:
    """`service_did` is ours; times in seconds; `consent_required` asks for the subject's own signature.

    `trusted_exporters` holds the public keys of each issuer by kid.
    """

    service_did: str
    challenge_ttl_s: int = 600
    message_versions: tuple[str, ...] = ("1", "2")
    policy: PolicyRules = field(default_factory=PolicyRules)
    consent_required: bool = False
    transfer_ttl_s: int = 604800
    open_challenges_per_did: int = 256
    import_max_age_s: int = 86400
    export_max_agents: int = 20000
    exchange_challenge_ttl_s: int = 300
    exchange_tier: str = "exchange"
    clawlogs_mode: str = "best_effort"
    trusted_exporters: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
