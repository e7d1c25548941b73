"""Shared ground of the protocol tests: public vectors, one key pair per RFC, and a builder of claims."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clawscope.protocol import b64u
from clawscope.protocol.claims import Claims
from clawscope.protocol.jwk import thumbprint
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.scope import scope_hash
from clawscope.protocol.token import mint
from clawscope.protocol.verdict import Denied
from clawscope.protocol.verify_token import KeyEntry, KeySet, Rules, verify

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "vectors"
NOW = 1_800_000_000


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Reads a set of public vectors; skips where the folder is not at hand."""

    def read(name: str) -> Any:
        if not VECTORS.is_dir():
            pytest.skip("the public vectors are not at hand")
        return json.loads((VECTORS / f"{name}.json").read_text())

    return read


@pytest.fixture(scope="session")
def token_key() -> SigningKey:
    """The key of RFC 8037 A.1."""
    return SigningKey.from_seed(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))


@pytest.fixture(scope="session")
def statement_key() -> SigningKey:
    """The key of RFC 8032, test 3."""
    return SigningKey.from_seed(bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"))


@pytest.fixture(scope="session")
def kid(token_key: SigningKey) -> str:
    """The kid of the token key."""
    return thumbprint(token_key.public)


@pytest.fixture(scope="session")
def key_set(token_key: SigningKey, kid: str) -> KeySet:
    """A key set of the one token key."""
    return KeySet({kid: KeyEntry(token_key.public)})


@pytest.fixture(scope="session")
def rules() -> Rules:
    """The rules of the issuer in the vectors."""
    return Rules("https://clawscope.example")


@pytest.fixture(scope="session")
def make_claims() -> Callable[..., Claims]:
    """Builds the claims of the golden token with some members changed; the scope hash follows the scopes."""

    def make(**changes: Any) -> Claims:
        members: dict[str, Any] = {
            "token_version": "1",
            "iss": "https://clawscope.example",
            "sub": "did:key:zAgent",
            "aud": "https://clawproxy.example",
            "scope": ("proxy:call",),
            "iat": NOW,
            "exp": NOW + 600,
            "run_id": "run_1",
            "token_lane": "legacy",
            "jti": "00000000-0000-4000-8000-000000000001",
            "nonce": "00000000-0000-4000-8000-000000000002",
        } | changes
        members.setdefault("token_scope_hash_b64u", scope_hash(members["scope"]))
        return Claims(**members)

    return make


@pytest.fixture(scope="session")
def canonical_claims(make_claims: Callable[..., Claims]) -> Callable[..., Claims]:
    """Builds claims of the canonical lane with nearly every claim set."""

    def make(**changes: Any) -> Claims:
        members: dict[str, Any] = {
            "owner_did": "did:key:zOwner",
            "controller_did": "did:key:zController",
            "agent_did": "did:key:zAgent",
            "control_plane_policy_hash_b64u": "c" * 43,
            "spend_cap": 1.25,
            "mission_id": "agent:main:dm:42",
            "client_id": "atk_1",
            "org_id": "org_1",
            "token_lane": "canonical",
        }
        return make_claims(**(members | changes))

    return make


@pytest.fixture(scope="session")
def make_token(make_claims: Callable[..., Claims], token_key: SigningKey, kid: str) -> Callable[..., str]:
    """Mints a token from the golden claims with some members changed."""

    def make(**changes: Any) -> str:
        return mint(make_claims(**changes), token_key, kid).token

    return make


@pytest.fixture
def code_of(key_set: KeySet, rules: Rules) -> Callable[[str], str]:
    """The code a token is refused with, or `ok`."""

    def judge(token: str) -> str:
        found = verify(token, key_set, rules, NOW + 100)
        return found.code.name if isinstance(found, Denied) else "ok"

    return judge


@pytest.fixture
def signed(token_key: SigningKey) -> Callable[..., str]:
    """A token with any header and payload text, honestly signed."""

    def sign(payload: str, header: str) -> str:
        text = f"{b64u.encode(header.encode())}.{b64u.encode(payload.encode())}"
        return f"{text}.{b64u.encode(token_key.sign(text.encode()))}"

    return sign


@pytest.fixture
def good_header(kid: str) -> str:
    """The header the issuer writes."""
    return f'{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}'
