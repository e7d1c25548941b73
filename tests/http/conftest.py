"""Servers that several HTTP test files share: one with a tier policy, API tokens and a policy registry."""

from __future__ import annotations

import json

import pytest

from tests.fakes.ports import MemoryApiTokens, MemoryPolicies
from tests.http.serving import MakeServer, Served
from tests.http.tiers import ISSUER_TOKEN, READER_TOKEN, TIERS
from tests.http.tokens import PIN


@pytest.fixture(scope="session")
def policy_text() -> str:
    """The tier policy of the tiered server."""
    return json.dumps({"version": "7", "tiers": TIERS})


@pytest.fixture(scope="session")
def api_tokens() -> MemoryApiTokens:
    """The API tokens known to the tiered server: one that issues within limits, one that may not."""
    held = MemoryApiTokens()
    held.add(ISSUER_TOKEN, "tokens:issue", cst_scopes=("proxy:call", "clawproxy:*", "proxy:pay:once"))
    held.add(READER_TOKEN, "agents:read", name="atk_2")
    return held


@pytest.fixture(scope="session")
def tiered(session_server: MakeServer, tmp_path_factory: pytest.TempPathFactory, policy_text: str, api_tokens: MemoryApiTokens) -> Served:
    """A server with a tier policy, API tokens and a policy registry that knows one policy."""
    path = tmp_path_factory.mktemp("policy") / "tiers.json"
    path.write_text(policy_text)
    return session_server({"policy_file": str(path), "require_known_policy": True}, api_tokens=api_tokens, policies=MemoryPolicies(PIN))
