"""Settings: the defaults of the contract, the aliases of the user's documents, what stops a start (tokens.md §11)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from clawscope.infra.config.loading import ConfigProblems, load
from clawscope.infra.db.migrate import migrate
from clawscope.issuer.settings import IssuerSettings
from clawscope.main.app import NotReadyToStart
from clawscope.main.serve import ServeOptions, prepare
from clawscope.main.settings import SECTIONS
from clawscope.protocol import b64u
from tests.http.serving import settings_of

DEFAULTS: dict[str, Any] = {
    "default_ttl_s": 600, "max_ttl_s": 3600, "hard_max_ttl_s": 86400, "clock_skew_s": 60, "max_staleness_s": 30, "max_scope_items": 64,
    "max_scope_length": 128, "sensitive_scope_prefixes": ("control:",), "policy_tier": "default", "legacy_exchange_mode": "migration",
    "protected_auth_mode": "canonical_cst", "operator_keys": {}, "trusted_approver_dids": (), "claim_profile": "extended",
    "accept_missing_kid": False, "chain_lookup_timeout_ms": 5000, "introspect_anonymous_per_s": 5000, "verified_cache_entries": 100_000,
    "require_known_policy": False, "max_exchange_depth": 8, "max_children_per_token": 100, "approval_max_ttl_s": 900,
    "approval_max_age_s": 3600, "approval_request_ttl_s": 86400, "sse_heartbeat_s": 5, "sse_max_subscribers": 1000, "snapshot_valid_s": 300,
    "idempotency_ttl_s": 86400,
}  # fmt: skip


def issuer(environ: dict[str, str], **given: Any) -> IssuerSettings:
    """The issuer's settings from an environment."""
    values = {
        "db.url": "sqlite:////tmp/none.db",
        "issuer.url": "https://a.example:8443/t",
        "issuer.keys.master_key": b64u.encode(b"m" * 32),
    }
    found: IssuerSettings = load(SECTIONS, toml_text=None, environ=environ, dev_values=values | given).sections["issuer"]
    return found


def test_defaults_are_those_of_the_contract() -> None:
    settings = issuer({})
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert settings.own_audiences() == {"https://a.example:8443/t", "a.example:8443", "did:web:a.example%3A8443:t"}


@pytest.mark.parametrize("alias", ["SCOPE_LEGACY_EXCHANGE_MODE", "SCOPE_PROTECTED_AUTH_MODE"])
def test_names_of_the_users_documents_are_aliases(alias: str) -> None:
    name = alias.removeprefix("SCOPE_").lower()
    other = {"legacy_exchange_mode": "disabled", "protected_auth_mode": "admin_token"}[name]
    assert getattr(issuer({alias: other}), name) == other
    assert getattr(issuer({f"CLAWSCOPE_ISSUER_{name.upper()}": other}), name) == other
    assert getattr(issuer({alias: other, f"CLAWSCOPE_ISSUER_{name.upper()}": other}), name) == other
    with pytest.raises(ConfigProblems):
        issuer({alias: other, f"CLAWSCOPE_ISSUER_{name.upper()}": DEFAULTS[name]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer.url": "ftp://a"}, {"issuer.url": "https://a/"}, {"issuer.default_ttl_s": 4000}, {"issuer.max_ttl_s": 90_000},
        {"issuer.operator_keys": {"a": "has.a.dot.in.it.0123456789"}}, {"issuer.trusted_approver_dids": ["did:web:a"]},
        {"issuer.sensitive_scope_prefixes": ["control"]}, {"issuer.max_exchange_depth": 9},
    ],
)  # fmt: skip
def test_contradictions_stop_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigProblems):
        issuer({}, **wrong)


def test_short_operator_key_stops_a_start_outside_dev_mode(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    lines = ["[db]", f'url = "sqlite:///{tmp_path}/x.db"', "[issuer]", 'url = "https://a.example"', "[issuer.operator_keys]", 'ana = "%s"',
             "[issuer.keys]", f'master_key = "{b64u.encode(b"m" * 32)}"']  # fmt: skip
    text = "\n".join(lines)
    config.write_text(text % ("k" * 23))
    with pytest.raises(NotReadyToStart, match="24"):
        prepare(ServeOptions(config=str(config)))
    config.write_text(text % ("k" * 24))
    asyncio.run(migrate(f"sqlite:///{tmp_path}/x.db"))
    assert prepare(ServeOptions(config=str(config))).sections["issuer"].url == "https://a.example"


def test_url_is_required_outside_dev_mode(tmp_path: Path) -> None:
    values = settings_of(tmp_path, {})
    del values["issuer.url"]
    with pytest.raises(ConfigProblems, match=r"issuer\.url"):
        load(SECTIONS, toml_text=None, environ={}, dev_values=values)
