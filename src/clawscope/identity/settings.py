"""Settings of identity (identity.md §13)."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.identity.domain.policy import DEFAULT_SCOPES, chosen_scopes
from clawscope.infra.config.declaring import setting
from clawscope.kernel.secret import Secret
from clawscope.protocol import b64u, jwk, keys
from clawscope.protocol.did import is_did_web

_VERSIONS = ("1", "2")
_LEAST_KEY = 24


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """`identity.*`."""

    service_did: str = setting("", help="The did:web of this service, the audience of v2 messages; without one, identity is not served.")
    challenge_ttl_s: int = setting(600, help="How long a challenge can be used.", unit="s", low=60, high=900)
    exchange_challenge_ttl_s: int = setting(300, help="How long a challenge for a scoped token can be used.", unit="s", low=30, high=900)
    exchange_tier: str = setting("exchange", help="Tier of tokens minted from a challenge; it must not pay.")
    clawlogs_mode: str = setting(
        "best_effort",
        help="Whether an exchange must leave a leaf in the transparency log.",
        choices=("best_effort", "required", "disabled"),
    )
    message_versions: tuple[str, ...] = setting(("1", "2"), help="Forms of messages that clients may ask for.", low=1, high=2)
    unbound_policy_scopes: tuple[str, ...] = setting(
        (*DEFAULT_SCOPES, "control:audit:read"), help="Scopes a challenge that names no policy admits; never a wildcard.", high=64
    )
    require_bound_policy: bool = setting(False, help="A challenge that names no policy admits the default policy alone.")
    subject_consent: str = setting("optional", help="Whether controllers and agents must sign too.", choices=("optional", "required"))
    transfer_ttl_s: int = setting(604800, help="How long a transfer waits for its confirmation.", unit="s", low=1)
    import_max_age_s: int = setting(86400, help="Oldest export that is imported, and how long ours may be used.", unit="s", low=60)
    trusted_exporters: dict[str, str] = setting(
        {}, help="Public keys whose exports are imported: issuer did:web to base64url keys, separated by blanks; never fetched."
    )
    export_max_agents: int = setting(20000, help="Most agents in one export.", low=1)
    delegate_key: Secret | None = setting(None, help="Key of the service that bootstraps delegations; without it the route is off.")
    challenges_per_minute_per_ip: int = setting(1200, help="Challenges and mutations a minute from one source; 0 is no limit.", low=0)
    reads_per_minute_per_ip: int = setting(6000, help="Public reads a minute from one source; 0 is no limit.", low=0)
    open_challenges_per_did: int = setting(256, help="Usable challenges one DID may have at a time.", low=1)

    def problems(self) -> list[str]:
        """Rules between settings."""
        found = []
        if self.service_did and not is_did_web(self.service_did):
            found.append("service_did must be a did:web, such as did:web:id.example")
        if not set(self.message_versions) <= set(_VERSIONS):
            found.append('message_versions holds "1" and "2" only')
        if self.unbound_policy_scopes and (chosen_scopes(self.unbound_policy_scopes) is None or "*" in "".join(self.unbound_policy_scopes)):
            found.append("unbound_policy_scopes are scopes that start control: and hold no wildcard")
        for issuer, text in self.trusted_exporters.items():
            try:
                exporter_keys(text)
            except ValueError:
                found.append(f"trusted_exporters.{issuer} holds a text that is not base64url of an admissible Ed25519 key")
        if self.delegate_key is not None and len(self.delegate_key.reveal()) < _LEAST_KEY:
            found.append(f"delegate_key must have at least {_LEAST_KEY} characters")
        return found


def exporter_keys(text: str) -> dict[str, bytes]:
    """Public keys by their thumbprint. Raises `ValueError` for one that is not admitted."""
    found: dict[str, bytes] = {}
    for one in text.split():
        public = b64u.decode(one)
        keys.admit(public)
        found[jwk.thumbprint(public)] = public
    return found
