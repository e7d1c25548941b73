"""Settings of the issuer (tokens.md §11) and of its keys (keys.md §8)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from clawscope.infra.config.declaring import nested, setting
from clawscope.infra.keys import parse_master_key
from clawscope.issuer.domain import configured_keys
from clawscope.issuer.domain.key_rules import key_times
from clawscope.issuer.domain.tier import TierPolicyBroken, read_policy
from clawscope.kernel.secret import Secret
from clawscope.protocol import did


@dataclass(frozen=True, slots=True)
class KeySettings:
    """`issuer.keys.*`: where signing keys come from and how they rotate."""

    source: str = setting(
        "managed",
        help="`managed` keeps sealed seeds in the store; `config` takes them from the runbook's variables.",
        choices=("managed", "config"),
    )
    master_key: Secret | None = setting(
        None, help="Base64url of 32 bytes that seals managed seeds; kept outside the database.", alias="SCOPE_MASTER_KEY"
    )
    statement_key: Secret | None = setting(
        None, help="Base64url seed of the statement key when keys come from configuration.", alias="SCOPE_STATEMENT_KEY"
    )
    signing_key: Secret | None = setting(None, help="One base64url seed (32 bytes, or 64 with its public key).", alias="SCOPE_SIGNING_KEY")
    signing_keys_json: Secret | None = setting(
        None, help="JSON array of seeds or `{seed, kid?}`; the first is active; wins over signing_key.", alias="SCOPE_SIGNING_KEYS_JSON"
    )
    verify_public_keys_json: str | None = setting(
        None, help="JSON array of `{x, not_after_unix, kid?, source_label?}`.", alias="SCOPE_VERIFY_PUBLIC_KEYS_JSON"
    )
    kid_rule: str = setting(
        "rfc7638", help="How a key nobody named gets its kid.", choices=("rfc7638", "sha256_hex16"), alias="SCOPE_KID_RULE"
    )
    jwks_max_age_s: int = setting(
        300, help="How long readers may keep the JWKS.", unit="s", low=1, high=86400, alias="SCOPE_JWKS_MAX_AGE_S"
    )
    publish_delay_s: int = setting(
        600, help="How long a key is published before it signs.", unit="s", low=0, high=604800, alias="SCOPE_PUBLISH_DELAY_S"
    )
    overlap_s: int = setting(
        3600, help="How long a former key stays accepted, at least.", unit="s", low=0, high=2592000, alias="SCOPE_OVERLAP_S"
    )
    rotate_every_s: int = setting(
        2592000, help="Automatic rotation of managed keys; 0 switches it off.", unit="s", low=0, alias="SCOPE_ROTATE_EVERY_S"
    )
    snapshot_refresh_s: int = setting(
        300, help="A key snapshot is appended when the newest is this old.", unit="s", low=1, alias="SCOPE_SNAPSHOT_REFRESH_S"
    )
    allow_unpublished: bool = setting(
        True, help="With `config` keys: a new first key signs at once, recorded as delay_waived.", alias="SCOPE_ALLOW_UNPUBLISHED"
    )
    slo_target_s: int = setting(2, help="Target of the revocation SLO.", unit="s", low=1, high=3600, alias="SCOPE_SLO_TARGET_S")
    node_live_s: int = setting(30, help="A verifier node heard from within this time counts.", unit="s", low=1, alias="SCOPE_NODE_LIVE_S")
    node_forget_s: int = setting(3600, help="A verifier node silent for this long is lost.", unit="s", low=1, alias="SCOPE_NODE_FORGET_S")

    @property
    def from_config(self) -> bool:
        """Whether keys come from configuration: said so, or implied by one of the runbook's variables."""
        return self.source == "config" or self.signing_key is not None or self.signing_keys_json is not None

    def problems(self) -> list[str]:
        """Rules between settings (keys.md §3, §8)."""
        found = []
        if not self.from_config and self.master_key is None:
            found.append("master_key is required while keys are managed: give base64url of 32 random bytes")
        if self.from_config and self.statement_key is None:
            found.append("statement_key is required while keys come from configuration: give a base64url seed")
        if self.master_key is not None:
            try:
                parse_master_key(self.master_key)
            except ValueError as fault:
                found.append(f"master_key: {fault}")
        return found + (self._listed_faults() if self.from_config else [])

    def _listed_faults(self) -> list[str]:
        """What is wrong with the listed keys; their material is not shown."""
        texts = {name: getattr(self, name) for name in ("signing_key", "signing_keys_json", "statement_key")}
        shown = {name: None if secret is None else secret.reveal() for name, secret in texts.items()}
        try:
            configured_keys.parse(**shown, verify_public_keys_json=self.verify_public_keys_json, kid_rule=self.kid_rule)
        except configured_keys.FaultyKeys as faulty:
            return faulty.lines
        return []


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """`issuer.*` (tokens.md §11)."""

    url: str = setting("", help="The issuer's own https URL; the claim `iss`.", required_outside_dev=True)
    audiences: tuple[str, ...] = setting((), help="Audiences protected routes accept; default: url, its host, its did:web.", high=16)
    default_ttl_s: int = setting(600, help="Lifetime when none is asked.", unit="s", low=1)
    max_ttl_s: int = setting(3600, help="Longest lifetime a tier without its own maximum grants.", unit="s", low=1)
    hard_max_ttl_s: int = setting(86400, help="Longest lifetime any token may have.", unit="s", low=1, high=31536000)
    clock_skew_s: int = setting(60, help="Tolerance of step 12 of verification.", unit="s", low=0, high=600)
    max_staleness_s: int = setting(30, help="Age of a revocation view beyond which everything is refused.", unit="s", low=1, high=86400)
    max_scope_items: int = setting(64, help="Most scopes in one request.", low=1, high=256)
    max_scope_length: int = setting(128, help="Longest scope in a request.", unit="characters", low=1, high=256)
    sensitive_scope_prefixes: tuple[str, ...] = setting(("control:",), help="Scopes that start so are sensitive.", low=1, high=32)
    policy_tier: str = setting("default", help="Tier of a request that names none.")
    policy_file: str | None = setting(None, help="JSON file with the tier policy (tokens.md §2.1); absent: the built-in tiers.")
    legacy_exchange_mode: str = setting(
        "migration", help="What the legacy lane may do.", choices=("disabled", "migration", "enabled"), alias="SCOPE_LEGACY_EXCHANGE_MODE"
    )
    protected_auth_mode: str = setting(
        "canonical_cst",
        help="Who may call protected routes.",
        choices=("canonical_cst", "admin_token", "either"),
        alias="SCOPE_PROTECTED_AUTH_MODE",
    )
    operator_keys: dict[str, Secret] = setting({}, help="Operator keys by name: no dots, at least 24 characters outside dev mode.")
    trusted_approver_dids: tuple[str, ...] = setting(
        (), help="did:keys whose approval receipts are trusted beside owner and controller.", high=64
    )
    claim_profile: str = setting(
        "extended", help="`v1` omits iss, client_id and org_id for strict foreign readers.", choices=("extended", "v1")
    )
    accept_missing_kid: bool = setting(False, help="Try the issuer's keys for tokens without a kid.")
    identity_url: str | None = setting(
        None, help="Base URL of the identity control plane when it runs elsewhere.", alias="SCOPE_IDENTITY_URL"
    )
    chain_lookup_timeout_ms: int = setting(5000, help="How long a chain lookup may take.", unit="ms", low=10, high=60000)
    introspect_anonymous_per_s: int = setting(5000, help="Anonymous introspections a second from one source; 0 is no limit.", low=0)
    verified_cache_entries: int = setting(
        100000, help="Verified tokens kept by hash; revocation state is never cached.", low=0, high=10_000_000
    )
    require_known_policy: bool = setting(False, help="Refuse a policy pin the policy registry does not know.")
    max_exchange_depth: int = setting(8, help="Longest lineage an exchange may make.", low=1, high=8)
    max_children_per_token: int = setting(100, help="Most tokens exchanged directly from one.", low=1)
    approval_max_ttl_s: int = setting(900, help="Longest lifetime of a token minted from an approval.", unit="s", low=1)
    approval_max_age_s: int = setting(3600, help="Oldest approval receipt that is exchanged.", unit="s", low=1)
    approval_request_ttl_s: int = setting(86400, help="How long an approval request may wait for its decision.", unit="s", low=1)
    sse_heartbeat_s: int = setting(5, help="Pause between heartbeats on the event stream.", unit="s", low=1, high=60)
    sse_max_subscribers: int = setting(1000, help="Most open event streams per process.", low=0)
    snapshot_valid_s: int = setting(300, help="How long a revocation snapshot may be used.", unit="s", low=1)
    idempotency_ttl_s: int = setting(86400, help="How long an Idempotency-Key keeps its answer.", unit="s", low=60)
    keys: KeySettings = nested(KeySettings, help="Signing keys.")

    def problems(self) -> list[str]:
        """Rules between settings."""
        found = []
        parts = urlsplit(self.url)
        if self.url and (
            parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or self.url.endswith("/")
        ):
            found.append("url must be an http(s) URL without query, fragment or slash at the end")
        if self.policy_file is not None:
            try:
                read_policy(Path(self.policy_file).read_bytes(), self.hard_max_ttl_s)
            except (OSError, TierPolicyBroken) as fault:
                found.append(f"policy_file: {fault}")
        kept = self.keys
        found += [f"keys.{line}" for line in key_times(kept.publish_delay_s, kept.jwks_max_age_s, kept.overlap_s, self.clock_skew_s)]
        if not self.default_ttl_s <= self.max_ttl_s <= self.hard_max_ttl_s:
            found.append("default_ttl_s ≤ max_ttl_s ≤ hard_max_ttl_s must hold")
        for name, secret in self.operator_keys.items():
            if "." in secret.reveal() or not secret.reveal().isascii() or not secret.reveal().strip():
                found.append(f"operator_keys.{name} must be ASCII without dots: a value with two dots reads as a token")
        if not all(prefix.endswith(":") for prefix in self.sensitive_scope_prefixes):
            found.append("sensitive_scope_prefixes end with a colon, such as control:")
        found += [
            f"trusted_approver_dids: entry {at} is not an admissible did:key"
            for at, one in enumerate(self.trusted_approver_dids)
            if not _is_key(one)
        ]
        return found

    def own_audiences(self) -> frozenset[str]:
        """The audiences of protected routes: configured, else the URL, its host and its did:web (never from `Host`)."""
        if self.audiences:
            return frozenset(self.audiences)
        return frozenset({self.url, urlsplit(self.url).netloc, did.did_web_of(self.url)})


def _is_key(text: str) -> bool:
    try:
        did.public_of(text)
    except ValueError:
        return False
    return True
