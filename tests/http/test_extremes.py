"""Extreme but well-formed input gets a typed 4xx, never a 5xx (tokens.md §0)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.serving import MakeServer, Served
from tests.http.tokens import LEGACY, exchange, introspect, request, token

NUMBERS = [2**53, 2**63 - 1, 2**63, 2**64, 10**30, -(2**63) - 1, -(10**30)]
PARAMETERS = [("/v1/audit/issuance", "from"), ("/v1/audit/issuance", "to"), ("/v1/audit/approvals", "from"), ("/v1/audit/bundle", "to"),
              ("/v1/audit/bundle?format=ndjson", "from"), ("/v1/audit/issuance", "limit"), ("/v1/revocations/events", "limit"),
              ("/v1/revocations/stream", "since"), ("/v1/revocations/stream", "limit"), ("/v1/revocations/stream?since=0", "wait_s"),
              ("/v1/approvals", "limit"), ("/v1/keys/transparency/history", "since"), ("/v1/keys/transparency/history", "limit"),
              ("/v1/reports/revocation-slo", "window_hours")]  # fmt: skip


@pytest.mark.parametrize(("path", "name"), PARAMETERS, ids=[f"{path}-{name}" for path, name in PARAMETERS])
def test_numbers_beyond_every_store_are_no_fault_of_ours(dev: Served, path: str, name: str) -> None:
    for number in NUMBERS:
        answer = dev.operator.call("GET", f"{path}{'&' if '?' in path else '?'}{name}={number}")
        assert answer.status < 500, (number, answer.raw)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 2**53}, {"exp": 2**63}, {"exp": 10**19}, {"ttl_sec": 1e-300}, {"ttl_sec": 1e300}, {"exp": 1e300}, {"spend_cap": 1e-300},
        {"spend_cap": 1e300},
        {"sub": "sa:\x7f"}, {"delegation_expires_at": 2**60}, {"may_act": {"sub": ["sa:" + "x" * 510]}}, {"scope": ["proxy:\U0001f600"]},
    ],
    ids=str,
)  # fmt: skip
def test_extreme_members_are_refused_by_a_type(dev: Served, changes: dict[str, Any]) -> None:
    assert dev.operator.post(LEGACY, request(**changes)).refusal[0] == 400


@pytest.mark.parametrize(
    "path", ["/v1/approvals/" + "a" * 5000, "/v1/approvals/%F0%9F%98%80", "/v1/approvals/%00", "/v1/approvals/..", "/problems/%ED%A0%80"]
)
def test_extreme_path_parameters_are_not_found(dev: Served, path: str) -> None:
    assert dev.operator.call("GET", path).status in (400, 404)


def test_extreme_headers_are_refused_by_a_type(dev: Served) -> None:
    assert dev.cst("x" * 30_000).get("/v1/audit/issuance").refusal == (401, "TOKEN_MALFORMED")
    assert dev.cst("").get("/v1/audit/issuance").status == 401
    twice = dev.operator.with_headers(Authorization="Bearer a.b.c").get("/v1/audit/issuance")
    assert twice.status in (400, 401)
    odd = dev.operator.call("POST", LEGACY, request(), headers={"traceparent": "garbage", "X-Trace-Id": "x" * 500})
    assert odd.status == 200
    assert len(odd.headers["x-trace-id"]) == 32


@pytest.mark.parametrize("raw", [b"a=%ff", b"a", b"=", b"&&", b"a=1;b=2", b"\xff", b"grant_type=%00", b"x=1&" * 200])
def test_extreme_forms_are_refused_by_a_type(dev: Served, raw: bytes) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in ("/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"):
        assert dev.operator.call("POST", path, raw=raw, headers=form).oauth[:2] == (400, "invalid_request")


def test_surrogates_in_a_token_are_refused_by_a_type(dev: Served) -> None:
    for raw in (b'{"token":"\xed\xa0\x80"}', b'{"token":"\\ud800"}', b'{"token":"\\u0000.b.c"}'):
        assert 400 <= dev.anyone.call("POST", "/v1/tokens/introspect", raw=raw).status < 500


def test_children_are_counted_right_in_parallel(make_server: MakeServer) -> None:
    served = make_server({"max_children_per_token": 3})
    root = token(served)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: exchange(served, root), range(16)))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [400] * 13
    assert {answer.oauth[2] for answer in answers if answer.status == 400} == {"EXCHANGE_LIMIT"}


def test_every_byte_of_a_token_counts(dev: Served) -> None:
    text = token(dev)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    changed = [text[:at] + alphabet[(alphabet.index(text[at]) + 1) % len(alphabet)] + text[at + 1 :] for at in range(0, len(text), 7)]
    for forged in changed:
        answer = introspect(dev, forged)
        assert 400 <= answer.status < 500
        assert answer.json["active"] is False
