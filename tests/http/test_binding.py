"""Binding and pin at introspection: the frozen codes in their order (tokens.md §3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.serving import Served
from tests.http.tokens import PIN, PIN_HEX, introspect, revoke, token

BOUND = {
    "run_id": "run_1",
    "job_id": "job_1",
    "mission_id": "m_1",
    "policy_hash_b64u": PIN,
    "aud": ["https://a.example", "https://b.example"],
}
GOOD = {"aud": ["https://b.example"], "scope": ["proxy:call"], "run_id": "run_1", "job_id": "job_1", "mission_id": "m_1",
        "policy_hash_b64u": PIN, "require": ["run_id", "job_id", "policy_hash_b64u"]}  # fmt: skip


@pytest.fixture(scope="module")
def bound(dev: Served) -> str:
    """A token bound in every way."""
    return token(dev, **BOUND)


@pytest.fixture(scope="module")
def free(dev: Served) -> str:
    """A token bound in no way."""
    return token(dev)


def code(dev: Served, text: str, **expect: Any) -> tuple[str, str | None]:
    """The code and field of a refusal."""
    answer = introspect(dev, text, **expect)
    if answer.status == 200:
        assert answer.json["active"] is True
        return "ok", None
    assert answer.json["active"] is False
    assert answer.refusal[0] == 403
    return answer.refusal[1], answer.json["field"]


def test_full_agreement_passes(dev: Served, bound: str) -> None:
    assert code(dev, bound, **GOOD) == ("ok", None)
    assert code(dev, bound, **(GOOD | {"policy_hash_b64u": PIN_HEX})) == ("ok", None)


FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"aud": ["https://c.example"]}, "TOKEN_AUD_MISMATCH", "aud"),
    ({"scope": ["proxy:call", "proxy:stop"]}, "TOKEN_INSUFFICIENT_SCOPE", "scope"),
    ({"run_id": "run_2"}, "TOKEN_RUN_MISMATCH", "run_id"),
    ({"job_id": "job_2"}, "TOKEN_JOB_MISMATCH", "job_id"),
    ({"mission_id": "m_2"}, "TOKEN_MISSION_MISMATCH", "mission_id"),
    ({"policy_hash_b64u": "B" * 42 + "A"}, "TOKEN_POLICY_MISMATCH", "policy_hash_b64u"),
]


def test_of_all_faults_at_once_the_first_in_order_answers(dev: Served, bound: str) -> None:
    for first in range(len(FAULTS)):
        expect = dict(GOOD)
        for fault, _, _ in FAULTS[first:]:
            expect |= fault
        assert code(dev, bound, **expect) == FAULTS[first][1:]


def test_bound_token_demands_run_and_job_to_be_named(dev: Served, bound: str) -> None:
    assert code(dev, bound, scope=["proxy:call"]) == ("TOKEN_RUN_REQUIRED", "run_id")
    assert code(dev, bound, run_id="run_1") == ("TOKEN_JOB_REQUIRED", "job_id")
    assert code(dev, bound, run_id="run_1", job_id="job_1") == ("ok", None)
    assert code(dev, bound, job_id="job_2", mission_id="m_2") == ("TOKEN_RUN_REQUIRED", "run_id")


def test_unbound_token_is_refused_only_where_a_binding_is_required(dev: Served, free: str) -> None:
    assert code(dev, free, run_id="r", job_id="j", policy_hash_b64u=PIN) == ("ok", None)
    assert code(dev, free, require=["run_id"], run_id="r") == ("TOKEN_BINDING_MISSING", "run_id")
    assert code(dev, free, require=["job_id"]) == ("TOKEN_BINDING_MISSING", "job_id")
    assert code(dev, free, require=["policy_hash_b64u"]) == ("TOKEN_POLICY_MISSING", "policy_hash_b64u")
    assert code(dev, free, require=["policy_hash_b64u"], mission_id="m") == ("TOKEN_MISSION_MISMATCH", "mission_id")
    assert code(dev, free, require=["job_id"], mission_id="m") == ("TOKEN_BINDING_MISSING", "job_id")


def test_pin_nobody_states_is_the_policy_in_force(dev: Served, bound: str) -> None:
    assert code(dev, bound, run_id="run_1", job_id="job_1", require=["policy_hash_b64u"]) == ("ok", None)


@pytest.mark.parametrize("stated", ["", "x", PIN + "=", PIN_HEX[:-1], "C" * 43])
def test_text_that_is_no_hash_of_the_pin_matches_nothing(dev: Served, stated: str) -> None:
    pinned = token(dev, policy_hash_b64u=PIN)
    assert code(dev, pinned, policy_hash_b64u=stated) == ("TOKEN_POLICY_MISMATCH", "policy_hash_b64u")


def test_audience_is_looked_at_only_when_given(dev: Served, free: str) -> None:
    assert code(dev, free, scope=["proxy:call"]) == ("ok", None)
    assert code(dev, free, aud=[]) == ("TOKEN_AUD_MISMATCH", "aud")


def test_wildcards_cover_by_the_rule_alone(tiered: Served) -> None:
    wide = token(tiered, tier="wild", scope=["proxy:*"])
    assert code(tiered, wide, scope=["proxy:a", "proxy:a:b", "proxy:*"]) == ("ok", None)
    for wanted in ("proxy", "proxyx:a", "*", "clawproxy:a"):
        assert code(tiered, wide, scope=[wanted]) == ("TOKEN_INSUFFICIENT_SCOPE", "scope")


def test_revoked_token_is_told_revoked_whatever_is_expected(dev: Served) -> None:
    text = token(dev, run_id="r")
    revoke(dev, token=text).ok()
    answer = introspect(dev, text, run_id="other")
    assert answer.json["active"] is False
    assert answer.json.get("revoked") is True or answer.refusal == (403, "TOKEN_RUN_MISMATCH")
