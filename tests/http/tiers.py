"""The tier policy and API tokens of the tiered server."""

from __future__ import annotations

from typing import Any

_OPEN: dict[str, Any] = {"max_ttl_seconds": 3600, "allowed_scope_prefixes": ["proxy:", "clawproxy:", "control:"]}
TIERS: dict[str, dict[str, Any]] = {
    "default": _OPEN,
    "short": _OPEN | {"max_ttl_seconds": 60},
    "wild": _OPEN | {"allow_wildcards": True},
    "all": {"max_ttl_seconds": 60, "allow_wildcards": True, "allowed_scopes": ["*"]},
    "exact": {"max_ttl_seconds": 60, "allowed_scopes": ["proxy:call"], "allowed_scope_prefixes": ["clawproxy:"]},
    "empty": {"max_ttl_seconds": 60},
    "audiences": _OPEN | {"allowed_audiences": ["https://a.example", "https://b.example"]},
    "thrifty": _OPEN | {"max_spend_cap": 1.5},
    "run": _OPEN | {"require_binding": "run_id"},
    "job": _OPEN | {"require_binding": "job_id"},
    "any": _OPEN | {"require_binding": "any"},
    "pinned": _OPEN | {"require_policy_pin": True},
    "watched": _OPEN | {"allow_wildcards": True, "approval_scopes": ["proxy:pay:*", "clawproxy:call:openai"]},
    "proven": _OPEN | {"evidence": {"proxy:pay": ["gateway_receipt", "ticket"]}},
    "auto": _OPEN | {"auto_approve": True},
    "strictest": {"max_ttl_seconds": 60, "allowed_scopes": ["proxy:call", "control:token:revoke"],
    "allowed_audiences": ["https://a.example"],
                  "max_spend_cap": 1, "require_binding": "run_id", "require_policy_pin": True, "evidence": {"proxy:": ["ticket"]},
                  "approval_scopes": ["control:token:revoke"]},
}  # fmt: skip
ISSUER_TOKEN = "ats_issuer_default_only"
READER_TOKEN = "ats_reader"
