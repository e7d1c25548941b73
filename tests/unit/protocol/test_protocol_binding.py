"""Whether a token fits a request, and what it may set in motion."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from clawscope.protocol import b64u, matrix
from clawscope.protocol.binding import Expectation, check, expectation_from_headers
from clawscope.protocol.claims import Claims
from clawscope.protocol.verdict import Allowed, Denied

Make = Callable[..., Claims]
PIN = bytes(range(32))
BOUND = {"run_id": "run_1", "job_id": "job_1", "mission_id": "m", "policy_hash_b64u": b64u.encode(PIN)}
UNBOUND: dict[str, Any] = {"run_id": None}


def verdict(claims: Claims, **members: Any) -> tuple[str, str | None] | None:
    found = check(claims, Expectation(**members))
    return (found.code.name, found.field) if isinstance(found, Denied) else None


def test_a_bound_token_passes_where_everything_is_named(make_claims: Make) -> None:
    claims = make_claims(**BOUND, scope=("proxy:*",))
    expect = Expectation(
        aud=["x", "https://clawproxy.example"], scope=["proxy:call", "proxy:x"], require=["run_id", "job_id", "policy_hash_b64u"], **BOUND
    )
    assert check(claims, expect) == Allowed()


@pytest.mark.parametrize(
    ("claims", "expect", "code", "field"),
    [
        (UNBOUND, {"aud": ["https://other.example"]}, "TOKEN_AUD_MISMATCH", "aud"),
        (UNBOUND, {"aud": []}, "TOKEN_AUD_MISMATCH", "aud"),
        (UNBOUND, {"aud": ["https://clawproxy.example/"]}, "TOKEN_AUD_MISMATCH", "aud"),
        (UNBOUND, {"scope": ["proxy:call", "control:audit:read"]}, "TOKEN_INSUFFICIENT_SCOPE", "scope"),
        ({}, {}, "TOKEN_RUN_REQUIRED", "run_id"),
        ({}, {"run_id": "run_2"}, "TOKEN_RUN_MISMATCH", "run_id"),
        ({}, {"run_id": "run_1 "}, "TOKEN_RUN_MISMATCH", "run_id"),
        (UNBOUND | {"job_id": "j"}, {}, "TOKEN_JOB_REQUIRED", "job_id"),
        (UNBOUND | {"job_id": "j"}, {"job_id": "J"}, "TOKEN_JOB_MISMATCH", "job_id"),
        (UNBOUND, {"require": ["run_id"], "run_id": "run_1"}, "TOKEN_BINDING_MISSING", "run_id"),
        (UNBOUND, {"require": ["job_id"]}, "TOKEN_BINDING_MISSING", "job_id"),
        (UNBOUND, {"mission_id": "m"}, "TOKEN_MISSION_MISMATCH", "mission_id"),
        (UNBOUND | {"mission_id": "n"}, {"mission_id": "m"}, "TOKEN_MISSION_MISMATCH", "mission_id"),
        (
            UNBOUND | {"policy_hash_b64u": "a" * 42 + "A"},
            {"policy_hash_b64u": b64u.encode(PIN)},
            "TOKEN_POLICY_MISMATCH",
            "policy_hash_b64u",
        ),
        (UNBOUND, {"require": ["policy_hash_b64u"], "policy_hash_b64u": b64u.encode(PIN)}, "TOKEN_POLICY_MISSING", "policy_hash_b64u"),
    ],
)
def test_each_failure_has_its_code_and_field(
    make_claims: Make, claims: dict[str, Any], expect: dict[str, Any], code: str, field: str
) -> None:
    assert verdict(make_claims(**claims), **expect) == (code, field)


def test_the_first_failure_in_the_frozen_order_answers(make_claims: Make) -> None:
    claims = make_claims(**BOUND)
    wrong: dict[str, Any] = {
        "aud": ["x"],
        "scope": ["x"],
        "run_id": "x",
        "job_id": "x",
        "mission_id": "x",
        "policy_hash_b64u": "0" * 64,
    }
    right = {"aud": ["https://clawproxy.example"], "scope": ["proxy:call"], **BOUND}
    codes = []
    for member in list(wrong):
        found = verdict(claims, **wrong)
        assert found is not None
        codes.append(found[0])
        wrong[member] = right[member]
    assert codes == [
        "TOKEN_AUD_MISMATCH",
        "TOKEN_INSUFFICIENT_SCOPE",
        "TOKEN_RUN_MISMATCH",
        "TOKEN_JOB_MISMATCH",
        "TOKEN_MISSION_MISMATCH",
        "TOKEN_POLICY_MISMATCH",
    ]
    assert verdict(claims, **wrong) is None


def test_a_correlating_run_beside_an_unbound_token_and_an_unstated_pin_are_fine(make_claims: Make) -> None:
    assert verdict(make_claims(**UNBOUND), run_id="any", job_id="any", policy_hash_b64u="0" * 64) is None
    assert verdict(make_claims(**UNBOUND, policy_hash_b64u=b64u.encode(PIN))) is None


@pytest.mark.parametrize("stated", [PIN.hex(), PIN.hex().upper(), b64u.encode(PIN)])
def test_a_policy_hash_is_compared_as_bytes(make_claims: Make, stated: str) -> None:
    assert verdict(make_claims(**BOUND), **(BOUND | {"policy_hash_b64u": stated})) is None


@pytest.mark.parametrize("stated", ["", "x", base64.b64encode(PIN).decode(), b64u.encode(PIN)[:-1] + "9", PIN.hex() + "00"])
def test_a_policy_hash_in_no_known_form_never_matches(make_claims: Make, stated: str) -> None:
    assert verdict(make_claims(**BOUND), **(BOUND | {"policy_hash_b64u": stated})) == ("TOKEN_POLICY_MISMATCH", "policy_hash_b64u")
    if stated:
        same = make_claims(**(BOUND | {"policy_hash_b64u": stated}))
        assert verdict(same, **(BOUND | {"policy_hash_b64u": stated})) is not None


def test_headers_become_an_expectation_and_blank_ones_state_nothing(make_claims: Make) -> None:
    assert expectation_from_headers(" run_1 ", "", None) == Expectation(run_id="run_1")
    assert isinstance(check(make_claims(), expectation_from_headers("run_1", None, None)), Allowed)


def test_an_expectation_has_no_unknown_members() -> None:
    for raw in (b'{"audience":["x"]}', b'{"require":["mission_id"]}', b'{"aud":"x"}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(raw, type=Expectation)


def reasons(claims: Claims, *, revoked: bool = False) -> set[str]:
    return {entry.reason_code for entry in matrix.judge(claims, revoked=revoked).values()}


def test_a_canonical_control_token_may_set_its_transitions_in_motion(canonical_claims: Make) -> None:
    found = matrix.judge(canonical_claims(scope=("control:token:*", "proxy:call")), revoked=False)
    assert {name: entry.allowed for name, entry in found.items()} == {
        "controller.policy.update": False,
        "token.issue.sensitive": True,
        "token.revoke": True,
        "key.rotate": False,
    }
    assert reasons(canonical_claims(scope=("*",))) == {"ALLOWED"}
    assert reasons(canonical_claims(scope=("proxy:*",))) == {"TOKEN_SCOPE_MISSING"}


def test_every_transition_of_a_revoked_token_is_denied(canonical_claims: Make) -> None:
    found = matrix.judge(canonical_claims(scope=("*",)), revoked=True)
    assert set(found) == set(matrix.TRANSITIONS)
    assert all((entry.allowed, entry.reason_code) == (False, "TOKEN_REVOKED") for entry in found.values())


def test_a_missing_chain_precedes_a_legacy_lane_in_the_matrix(make_claims: Make, canonical_claims: Make) -> None:
    assert reasons(make_claims(scope=("*",))) == {"TOKEN_CONTROL_CHAIN_MISSING"}
    assert reasons(canonical_claims(scope=("*",), token_lane="legacy")) == {"TOKEN_LANE_LEGACY_FORBIDDEN"}
    assert reasons(canonical_claims(scope=("*",), token_lane=None)) == {"TOKEN_LANE_LEGACY_FORBIDDEN"}
    assert reasons(make_claims(scope=("*",)), revoked=True) == {"TOKEN_REVOKED"}


def test_transition_names_are_looked_up_exactly() -> None:
    for name in ("constructor", "__proto__", "__class__", "token.revoke ", "TOKEN.REVOKE"):
        assert name not in matrix.TRANSITIONS
