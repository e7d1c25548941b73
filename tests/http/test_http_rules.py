"""Rules of every route: errors, queries, methods, sizes, JSON, rate limits (tokens.md §0)."""

from __future__ import annotations

import base64
import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from clawscope.kernel.clock import ManualClock
from clawscope.protocol import b64u
from tests.http.client import Client
from tests.http.serving import MakeServer, Served
from tests.http.tokens import LEGACY, introspect, request, token

INTROSPECT = "/v1/tokens/introspect"


def test_unknown_address_and_other_method(dev: Served) -> None:
    for path in (
        "/",
        "/v1",
        "/v1/tokens",
        "/v1/tokens/issue/",
        "/v1/tokens/issue/other",
        "/v2/tokens/issue",
        "/v1/approvals/x/y",
        "/%00",
        "/v1/approvals/",
    ):
        assert dev.operator.call("GET", path).refusal == (404, "NOT_FOUND"), path
    for method, path, allow in (("GET", LEGACY, "POST"), ("PUT", LEGACY, "POST"), ("POST", "/v1/revocations/events", "GET"), ("PATCH",
    "/v1/approvals", "GET, POST"),
                                ("PUT", "/v1/approvals/x", "GET"), ("GET", "/v1/revocations/cutoffs/x", "DELETE"), ("DELETE", "/health",
                                "GET")):  # fmt: skip
        answer = dev.operator.call(method, path)
        assert answer.refusal == (405, "METHOD_NOT_ALLOWED"), path
        assert answer.headers["allow"] == allow


def test_problem_type_leads_to_its_page(dev: Served) -> None:
    body = dev.operator.post(LEGACY, request(ttl_sec=99_999)).json
    assert body["type"] == "https://clawscope.example/problems/TTL_TOO_LONG"
    page = dev.anyone.get("/problems/TTL_TOO_LONG").ok()
    assert (page["error"], page["status"], page["title"]) == ("TTL_TOO_LONG", 400, body["title"])
    assert dev.anyone.get("/problems/NO_SUCH_CODE").refusal == (404, "NOT_FOUND")


def test_every_answer_names_its_request(dev: Served) -> None:
    seen = {dev.anyone.get(path).headers["x-clawscope-request-id"] for path in ("/health", "/ready", "/nowhere", "/openapi.json")}
    assert len(seen) == 4
    assert all(name.startswith("req_") for name in seen)


def test_refusal_never_echoes_what_was_sent(dev: Served) -> None:
    canary = "canary-7f3e9a"
    for body in (
        request(sub=canary),
        request(owner_did=canary),
        request(spend_cap=canary),
        request(scope=[f"{canary} x"]),
        {canary: 1} | request(),
        request(tier=canary),
    ):
        answer = dev.operator.post(LEGACY, body)
        assert answer.status == 400
        assert canary.encode() not in answer.raw or canary in body  # an unknown member is named


@pytest.mark.parametrize(
    "path",
    ["/health", "/ready", "/openapi.json", "/v1/tokens/issue", "/v1/revocations/snapshot", "/.well-known/oauth-authorization-server"],
)
def test_unknown_query_parameter_is_refused_everywhere(dev: Served, path: str) -> None:
    method = "POST" if path.endswith("issue") else "GET"
    answer = dev.operator.call(method, path + "?surprise=1", request() if method == "POST" else None)
    assert answer.refusal == (400, "INVALID_QUERY")
    assert "surprise" in answer.json["detail"]


@pytest.mark.parametrize("query", ["limit=%ff", "limit=1&limit=2", "limit", "%", "limit=+1", "limit=1%00"])
def test_ill_formed_query_is_refused(dev: Served, query: str) -> None:
    assert dev.operator.call("GET", f"/v1/audit/issuance?{query}").refusal == (400, "INVALID_QUERY")


def test_body_is_bounded_announced_or_not(dev: Served) -> None:
    big = b'{"token":"' + b"a" * (256 * 1024) + b'"}'
    assert dev.anyone.call("POST", INTROSPECT, raw=big).refusal == (413, "PAYLOAD_TOO_LARGE")
    exact = b'{"token":"' + b"a" * (256 * 1024 - 12) + b'"}'
    assert dev.anyone.call("POST", INTROSPECT, raw=exact).refusal[1] != "PAYLOAD_TOO_LARGE"
    assert dev.operator.call("POST", LEGACY, raw=big).refusal == (413, "PAYLOAD_TOO_LARGE")
    assert dev.operator.call("POST", "/oauth2/introspect", raw=big).oauth[2] == "PAYLOAD_TOO_LARGE"


def test_chunked_body_is_bounded_too(dev: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", dev.port, timeout=10)
    try:
        connection.request(
            "POST", INTROSPECT, body=iter([b" " * 65_536] * 5), headers={"Content-Type": "application/json"}, encode_chunked=True
        )
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before everything was sent
    finally:
        connection.close()


def test_json_vectors_parse_or_are_refused_and_never_break(dev: Served, vectors: Path) -> None:
    suite = json.loads((vectors / "json_parsing.json").read_text())
    cases = [(name, base64.b64decode(text)) for name, text in suite["cases"]]
    cases += [("n_structure_100000_opening_arrays.json", b"[" * 100_000), ("n_structure_open_array_object.json", b'[{"":' * 50_000 + b"\n")]
    for name, raw in cases:
        for body in (raw, b'{"token":"a.b.c","x":' + raw + b"}"):
            answer = dev.anyone.call("POST", INTROSPECT, raw=body)
            assert 400 <= answer.status < 500, name
            if name.startswith("n_") and body is raw:
                assert answer.refusal == (400, "INVALID_JSON"), name
            if name.startswith("y_"):
                assert answer.refusal[1] in ("INVALID_REQUEST", "INVALID_JSON" if "dupl" in name else "INVALID_REQUEST"), name


def test_json_vectors_as_token_parts_never_break(dev: Served, vectors: Path) -> None:
    suite = json.loads((vectors / "json_parsing.json").read_text())
    good = token(dev).split(".")
    for name, text in suite["cases"]:
        part = b64u.encode(base64.b64decode(text))
        for forged in (f"{part}.{good[1]}.{good[2]}", f"{good[0]}.{part}.{good[2]}"):
            answer = introspect(dev, forged)
            assert 400 <= answer.status < 500, name
            assert answer.json["active"] is False


@pytest.mark.parametrize("raw", [b"", b" ", b"{", b"[]", b'"x"', b"null", b"1", b"\xff", b"\xef\xbb\xbf{}", b"{}{}",
b'{"token":"a","token":"b"}', b'{"token":NaN}',
                                 b'{"token":"\\ud800"}', b"{'token':1}", b'{"token":1,}'])  # fmt: skip
def test_body_that_is_no_strict_object_is_refused(dev: Served, raw: bytes) -> None:
    status, code = dev.anyone.call("POST", INTROSPECT, raw=raw).refusal
    assert (status, code) == (400, "INVALID_REQUEST" if raw in (b"[]", b'"x"', b"null", b"1") else "INVALID_JSON")


@pytest.mark.parametrize(
    "raw", [b'{"sub":"sa:\\u0000","aud":"a","scope":["proxy:a"]}', b'{"sub":"sa:x","aud":"a","scope":["proxy:a"],"mission_id":"\\u0000"}']
)
def test_nul_is_refused_wherever_it_stands(dev: Served, raw: bytes) -> None:
    assert dev.operator.call("POST", LEGACY, raw=raw).refusal[0] == 400


def test_fault_14_wrong_types_are_refused_by_name_and_never_dropped(dev: Served) -> None:
    fields = [
        "ttl_sec",
        "exp",
        "spend_cap",
        "owner_did",
        "run_id",
        "mission_id",
        "policy_hash_b64u",
        "payment_account_did",
        "delegation_expires_at",
        "tier",
        "job_id",
    ]
    wrong: list[Any] = [{}, [], True, None]
    for field in fields:
        for value in wrong:
            answer = dev.operator.post(LEGACY, request(**{field: value}))
            assert answer.refusal == (400, "INVALID_REQUEST"), (field, value)
            assert field in answer.json["detail"], (field, value)


def spend(client: Client, text: str) -> Any:
    """One anonymous introspection."""
    return client.post(INTROSPECT, {"token": text})


def test_rate_limit_counts_a_source_and_tells_the_truth(make_server: MakeServer) -> None:
    clock = ManualClock()
    served = make_server({"introspect_anonymous_per_s": 3}, clock=clock)
    text = token(served)
    left = []
    for _ in range(3):
        answer = spend(served.anyone, text)
        assert answer.status == 200
        assert answer.headers["ratelimit-policy"] == '"second";q=3;w=1'
        left.append(answer.headers["ratelimit"].split(";")[1])
    assert left == ["r=2", "r=1", "r=0"]
    refused = spend(served.anyone, text)
    assert refused.refusal == (429, "RATE_LIMITED")
    assert refused.json["active"] is False
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["ratelimit"].startswith('"second";r=0')
    assert served.anyone.post("/v1/tokens/introspect/matrix", {"token": text}).refusal == (429, "RATE_LIMITED")
    assert served.operator.post(LEGACY, request()).status == 200
    clock.move(1.2)
    assert spend(served.anyone, text).status == 200


def test_rate_limit_of_zero_is_none(make_server: MakeServer) -> None:
    served = make_server({"introspect_anonymous_per_s": 0}, clock=ManualClock())
    text = token(served)
    answers = [spend(served.anyone, text) for _ in range(50)]
    assert {answer.status for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers


def test_fault_12_anonymous_introspection_writes_nothing(make_server: MakeServer) -> None:
    served = make_server()
    text = token(served)
    size = sum(path.stat().st_size for path in served.data.iterdir())
    for n in range(200):
        introspect(served, "x" * n + ".b.c")
        introspect(served, text, run_id="r" * n)
    assert sum(path.stat().st_size for path in served.data.iterdir()) - size < 64_000
