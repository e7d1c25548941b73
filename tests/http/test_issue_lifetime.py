"""Lifetimes: `ttl_sec`, `exp`, tier and hard maximum, delegation (tokens.md §2, §2.2 step 6)."""

from __future__ import annotations

from typing import Any

import pytest

from clawscope.kernel.clock import ManualClock
from tests.fakes.control_plane import ControlPlane
from tests.http.serving import MakeServer, Served
from tests.http.tokens import canonical, legacy

NOW = 1_900_000_000


@pytest.fixture(scope="module")
def still(make_server: MakeServer) -> Served:
    """A server whose clock stands at `NOW`."""
    return make_server(clock=ManualClock(NOW))


def lifetime(served: Served, **changes: Any) -> int:
    """Seconds between `iat` and `exp` of an issued token."""
    issued = legacy(served, **changes).ok()
    assert issued["iat"] == NOW
    return int(issued["exp"] - issued["iat"])


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({}, 600), ({"ttl_sec": 1}, 1), ({"ttl_sec": 1.99}, 1), ({"ttl_sec": 3600}, 3600), ({"ttl_sec": 3600.5}, 3600),
        ({"exp": NOW + 1}, 1), ({"exp": NOW + 60.7}, 60), ({"exp": NOW + 3600}, 3600), ({"exp": NOW + 30, "ttl_sec": 500}, 30),
        ({"exp": NOW + 30, "ttl_sec": 99_999}, 30),
    ],
)  # fmt: skip
def test_lifetime_is_floored_and_exp_wins(still: Served, asked: dict[str, Any], seconds: int) -> None:
    assert lifetime(still, **asked) == seconds


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"ttl_sec": 0}, "INVALID_TTL"), ({"ttl_sec": -1}, "INVALID_TTL"), ({"ttl_sec": -0.5}, "INVALID_TTL"), ({"ttl_sec": 0.99},
        "TTL_EXPIRED"),
        ({"ttl_sec": 3601}, "TTL_TOO_LONG"), ({"ttl_sec": 10**15}, "TTL_TOO_LONG"), ({"ttl_sec": 10**17}, "TTL_TOO_LONG"),
        ({"ttl_sec": "600"}, "INVALID_REQUEST"), ({"ttl_sec": True}, "INVALID_REQUEST"), ({"ttl_sec": [1]}, "INVALID_REQUEST"),
        ({"exp": 0}, "INVALID_EXP"), ({"exp": -5}, "INVALID_EXP"), ({"exp": 1}, "TTL_EXPIRED"), ({"exp": NOW}, "TTL_EXPIRED"),
        ({"exp": NOW + 0.9}, "TTL_EXPIRED"), ({"exp": NOW + 3601}, "TTL_TOO_LONG"), ({"exp": 10**17}, "TTL_TOO_LONG"),
        ({"exp": "2030-01-01"}, "INVALID_REQUEST"), ({"exp": 0, "ttl_sec": 0}, "INVALID_TTL"), ({"exp": 0, "ttl_sec": 5}, "INVALID_EXP"),
    ],
)  # fmt: skip
def test_lifetime_outside_the_limits_is_refused(still: Served, asked: dict[str, Any], code: str) -> None:
    assert legacy(still, **asked).refusal == (400, code)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"delegation_expires_at": NOW}, "DELEGATION_EXPIRED"), ({"delegation_expires_at": NOW + 599}, "TTL_TOO_LONG"),
        ({"delegation_expires_at": NOW + 300, "ttl_sec": 301}, "TTL_TOO_LONG"), ({"delegation_expires_at": NOW + 600}, None),
        ({"delegation_expires_at": NOW + 300, "ttl_sec": 300}, None), ({"delegation_expires_at": NOW + 300, "exp": NOW + 300}, None),
    ],
)  # fmt: skip
def test_token_ends_no_later_than_its_delegation(
    still: Served, control_plane: ControlPlane, asked: dict[str, Any], code: str | None
) -> None:
    chain = control_plane.chain()
    trio = {"delegation_id": "dlg_1", "delegator_did": chain.owner_did, "delegate_did": chain.agent_did}
    answer = canonical(still, chain, **trio, **asked)
    if code is None:
        assert answer.ok()["claims"]["delegation_expires_at"] == asked["delegation_expires_at"]
    else:
        assert answer.refusal == (400, code)


def test_default_lifetime_is_bounded_by_the_tier(make_server: MakeServer) -> None:
    short = make_server({"default_ttl_s": 60, "max_ttl_s": 90}, clock=ManualClock(NOW))
    assert lifetime(short) == 60
    assert legacy(short, ttl_sec=91).refusal == (400, "TTL_TOO_LONG")
