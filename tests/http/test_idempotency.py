"""Idempotency-Key: one effect and one answer per caller, route and key (tokens.md §0, §2.5)."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from clawscope.issuer.domain.chain import ChainRecord
from clawscope.issuer.domain.errors import CONTROL_CHAIN_NOT_FOUND
from clawscope.kernel.clock import ManualClock
from tests.http.serving import MakeServer, Served
from tests.http.tokens import CANONICAL, LEGACY, introspect, request, unique


def key() -> dict[str, str]:
    """A header with a fresh key."""
    return {"Idempotency-Key": unique("key")}


def test_same_key_and_body_give_the_same_bytes(dev: Served) -> None:
    headers, body = key(), request(spend_cap=1.25, run_id="r", aud=["a", "b"])
    first, second = (dev.operator.call("POST", LEGACY, body, headers=headers) for _ in range(2))
    assert first.status == second.status == 200
    assert first.raw == second.raw
    assert introspect(dev, first.json["token"], run_id="r").ok()["active"] is True
    rows = dev.operator.get("/v1/audit/issuance", jti=first.json["jti"]).ok()["events"]
    assert len(rows) == 1


def test_another_body_under_the_key_is_refused(dev: Served) -> None:
    headers = key()
    assert dev.operator.call("POST", LEGACY, request(), headers=headers).status == 200
    assert dev.operator.call("POST", LEGACY, request(run_id="r"), headers=headers).refusal == (409, "IDEMPOTENCY_KEY_REUSED")


def test_keys_belong_to_one_caller_and_route(tiered: Served, api_tokens: object) -> None:
    headers = key()
    first = tiered.operator.call("POST", LEGACY, request(), headers=headers).ok()
    other = tiered.bearing("ats_issuer_default_only").call("POST", LEGACY, request(), headers=headers).ok()
    assert first["jti"] != other["jti"]
    assert tiered.operator.call("POST", CANONICAL, request(), headers=headers).refusal == (400, "CANONICAL_CHAIN_REQUIRED")


@pytest.mark.parametrize("text", ["", " ", "a b", "x" * 257, "k\u00e9y"])
def test_malformed_key_is_refused(dev: Served, text: str) -> None:
    assert dev.operator.call("POST", LEGACY, request(), headers={"Idempotency-Key": text}).refusal == (400, "INVALID_REQUEST")


def test_longest_key_is_taken_and_a_repeated_one_refused(dev: Served) -> None:
    longest = unique("k").ljust(256, "~")
    assert dev.operator.call("POST", LEGACY, request(), headers={"Idempotency-Key": longest}).status == 200
    twice = dev.operator.with_headers(Idempotency_Key="a").call("POST", LEGACY, request(), headers={"Idempotency-Key": "b"})
    assert twice.refusal == (400, "INVALID_REQUEST")


def test_refused_request_frees_its_key(dev: Served) -> None:
    headers = key()
    assert dev.operator.call("POST", LEGACY, request(ttl_sec=99_999), headers=headers).refusal == (400, "TTL_TOO_LONG")
    assert dev.operator.call("POST", LEGACY, request(ttl_sec=60), headers=headers).status == 200


class WaitingChains:
    """`Chains` that answers only when let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()

    async def chain(self, controller_did: str, agent_did: str) -> ChainRecord:
        """See `Chains.chain`."""
        self.reached.set()
        await asyncio.get_running_loop().run_in_executor(None, self.released.wait, 20)
        raise CONTROL_CHAIN_NOT_FOUND("none")


def test_key_of_a_running_request_is_in_use(make_server: MakeServer) -> None:
    chains = WaitingChains()
    served = make_server(chains=chains)
    headers, body = key(), request(owner_did="did:key:zO", controller_did="did:key:zC")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(served.operator.call, "POST", CANONICAL, body, headers=headers)
        assert chains.reached.wait(10)
        second = served.operator.call("POST", CANONICAL, body, headers=headers)
        chains.released.set()
        assert second.refusal == (409, "IDEMPOTENCY_KEY_IN_USE")
        assert running.result().refusal == (404, "CONTROL_CHAIN_NOT_FOUND")


def test_kept_answer_ends_with_its_time_and_with_its_key(make_server: MakeServer) -> None:
    clock = ManualClock()
    served = make_server({"idempotency_ttl_s": 60}, clock=clock)
    headers = key()
    first = served.operator.call("POST", LEGACY, request(), headers=headers)
    clock.move(59)
    assert served.operator.call("POST", LEGACY, request(), headers=headers).raw == first.raw
    clock.move(2)
    assert served.operator.call("POST", LEGACY, request(), headers=headers).ok()["jti"] != first.json["jti"]


def test_answer_of_a_key_that_signs_no_longer_cannot_be_replayed(make_server: MakeServer) -> None:
    clock = ManualClock()
    served = make_server(clock=clock)
    headers = key()
    first = served.operator.call("POST", LEGACY, request(), headers=headers).ok()
    made = served.operator.post("/v1/keys/prepare", {"purpose": "token", "reason": "test"}).ok(201)
    clock.move(601)
    assert served.operator.post(f"/v1/keys/{made['kid']}/activate", {"reason": "test"}).status == 200
    assert served.operator.call("POST", LEGACY, request(), headers=headers).refusal == (409, "IDEMPOTENCY_REPLAY_UNAVAILABLE")
    assert introspect(served, first["token"]).ok()["active"] is True


def test_parallel_calls_under_one_key_mint_once(dev: Served) -> None:
    headers, body = key(), request(run_id=unique("run"))
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: dev.operator.call("POST", LEGACY, body, headers=headers), range(24)))
    good = {answer.raw for answer in answers if answer.status == 200}
    assert len(good) == 1
    assert {answer.refusal for answer in answers if answer.status != 200} <= {(409, "IDEMPOTENCY_KEY_IN_USE")}
    assert len(dev.operator.get("/v1/audit/issuance", run_id=body["run_id"]).ok()["events"]) == 1


def test_cut_offs_and_approval_requests_take_keys_too(dev: Served) -> None:
    headers = key()
    body = {"dimension": "run_id", "value": unique("run"), "reason": "test"}
    first, second = (dev.operator.call("POST", "/v1/revocations/cutoffs", body, headers=headers) for _ in range(2))
    assert first.status == 200
    assert first.raw == second.raw
    other = dev.operator.call("POST", "/v1/revocations/cutoffs", body | {"lock": True}, headers=headers)
    assert other.refusal == (409, "IDEMPOTENCY_KEY_REUSED")
