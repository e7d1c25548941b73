"""A property over HTTP: however a chain of exchanges is asked for, no child is wider than its parent (tokens.md §9)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawscope.kernel.clock import ManualClock
from clawscope.protocol.scope import any_covers
from tests.http.serving import MakeServer, Served
from tests.http.tokens import PIN, exchange, introspect, token

SCOPES = ["proxy:a", "proxy:b", "proxy:*", "clawproxy:x", "clawproxy:*", "proxy:a:b"]
AUDIENCES = ["https://a.example", "https://b.example", "https://c.example"]
ASKS = st.fixed_dictionaries(
    {},
    optional={
        "scope": st.lists(st.sampled_from(SCOPES), min_size=1, max_size=4).map(" ".join),
        "audience": st.lists(st.sampled_from(AUDIENCES), min_size=1, max_size=3),
        "expires_in": st.integers(1, 1300).map(str),
        "spend_cap": st.sampled_from(["0", "0.5", "1", "1.000001", "5"]),
        "run_id": st.sampled_from(["r1", "r2"]),
        "mission_id": st.sampled_from(["m1", "m2"]),
        "policy_hash_b64u": st.sampled_from([PIN, "B" * 42 + "A"]),
    },
)
CODES = {
    "EXCHANGE_SCOPE_WIDENED",
    "EXCHANGE_AUDIENCE_WIDENED",
    "EXCHANGE_TTL_WIDENED",
    "EXCHANGE_SPEND_CAP_WIDENED",
    "EXCHANGE_BINDING_CHANGED",
}


@pytest.fixture(scope="module")
def still(make_server: MakeServer, policy_text: str, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A server with wildcards and a clock that stands."""
    path = tmp_path_factory.mktemp("policy") / "tiers.json"
    path.write_text(policy_text)
    return make_server({"policy_file": str(path), "policy_tier": "wild", "max_children_per_token": 10_000}, clock=ManualClock())


def shown(served: Served, text: str) -> dict[str, Any]:
    """The claims of a live token, whatever it is bound to."""
    body = introspect(served, text).ok()
    assert body["active"] is True
    return dict(body)


def audiences(claims: dict[str, Any]) -> set[str]:
    """The audiences of claims."""
    return {claims["aud"]} if isinstance(claims["aud"], str) else set(claims["aud"])


def is_within(child: dict[str, Any], parent: dict[str, Any]) -> bool:
    """Whether a child is nowhere wider than its parent."""
    return (
        all(any_covers(parent["scope"], scope) for scope in child["scope"])
        and audiences(child) <= audiences(parent)
        and child["exp"] <= parent["exp"]
        and ("spend_cap" not in parent or child["spend_cap"] <= parent["spend_cap"])
        and all(name not in parent or child[name] == parent[name] for name in ("run_id", "mission_id", "policy_hash_b64u", "sub"))
        and child["lineage"] == [*parent.get("lineage", []), parent["jti"]]
    )


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(SCOPES), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(AUDIENCES), min_size=1, max_size=3, unique=True),
    st.one_of(st.none(), st.sampled_from([0, 1, 5])),
    st.lists(ASKS, min_size=1, max_size=4),
)
def test_no_chain_of_exchanges_widens(
    still: Served, scope: list[str], aud: list[str], cap: float | None, asks: list[dict[str, Any]]
) -> None:
    text = token(still, scope=scope, aud=aud, ttl_sec=1200, **({} if cap is None else {"spend_cap": cap}))
    parent = shown(still, text)
    for ask in asks:
        answer = exchange(still, text, **ask)
        if answer.status != 200:
            assert answer.oauth[2] in CODES
            continue
        text = answer.json["access_token"]
        child = shown(still, text)
        assert is_within(child, parent)
        parent = child
        if "run_id" in child:
            return  # a bound token is read with its run; narrowing of bindings is tested by itself
