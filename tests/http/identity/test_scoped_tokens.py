"""From a signed challenge to a scoped token (identity.md §9)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clawscope.identity.domain.scope_challenge import Scoped, leaf_hash
from clawscope.kernel.codes import FORBIDDEN, STORE_UNAVAILABLE
from tests.http.client import Answer
from tests.http.identity.people import Desk, Person, person
from tests.http.identity.serving import MakeIdentity, ServedIdentity

ASK, EXCHANGE = "/v1/scoped-tokens/challenges", "/v1/scoped-tokens/exchange"


class FakeIssuer:
    """`ScopedIssuer` that mints nothing true, in a true transaction; `refuse` makes it say no."""

    def __init__(self) -> None:
        self.served: ServedIdentity | None = None
        self.asked: list[Mapping[str, Any]] = []
        self.refuse = False

    async def issue(self, asked: Mapping[str, Any], within: Callable[[Any, Mapping[str, Any]], None]) -> Mapping[str, Any]:
        """See `ScopedIssuer.issue`."""
        if self.refuse:
            raise FORBIDDEN("the tier says no")
        assert self.served is not None
        minted = {"token": "t.t.t", "token_hash": "ab" * 32, "policy_version": "7", "token_lane": asked["token_lane"], "kid": "k"}
        minted |= {"iat": 5, "exp": 5 + asked["ttl_sec"]}
        identity = self.served.identity
        await self.served.database.transact(lambda tx: within(identity.work_on(tx), minted))
        self.asked.append(asked)
        return minted


class FakeLeaves:
    """`Leaves` that keeps them, or fails."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str]] = []
        self.failing = False

    def append(self, transaction: Any, log_id: str, leaf_hash_b64u: str) -> None:
        """See `Leaves.append`."""
        if self.failing:
            raise STORE_UNAVAILABLE("away")
        transaction.after_commit(lambda: self.kept.append((log_id, leaf_hash_b64u)))


def scoped_desk(make: MakeIdentity, **settings: Any) -> tuple[Desk, FakeIssuer, FakeLeaves]:
    issuer, leaves = FakeIssuer(), FakeLeaves()
    desk = Desk(make({"scoped_issuer": issuer, "leaves": leaves}, **settings))
    issuer.served = desk.served
    return desk, issuer, leaves


def ask(desk: Desk, owner: Person, **more: Any) -> Answer:
    body = {"owner_did": owner.did, "aud": "https://proxy.example", "scope": ["proxy:call"], **more}
    return desk.client.post(ASK, body)


def signed(owner: Person, challenge: dict[str, Any]) -> dict[str, Any]:
    return {"owner_did": owner.did, "challenge_id": challenge["challenge_id"], "signature_b64u": owner.sign(challenge["message"])}


def test_an_owner_exchanges_a_challenge_for_a_token(make_identity: MakeIdentity) -> None:
    desk, issuer, leaves = scoped_desk(make_identity)
    owner = person()
    desk.bind(owner)
    challenge = ask(desk, owner, scope=[" b:x", "a:x", "b:x"], ttl_sec=5).ok()
    assert challenge["challenge_id"].startswith("scope_chl_")
    assert (challenge["ttl_sec"], challenge["expires_at"]) == (30, desk.served.clock.now() + 300)
    head, _, body = challenge["message"].partition(":{")
    assert head == "clawclaim:scope_exchange:v1"
    stated = json.loads("{" + body)
    assert (stated["scope"], stated["aud"], stated["agent_did"], stated["challenge_version"]) == (
        ["a:x", "b:x"],
        ["https://proxy.example"],
        None,
        "1",
    )
    answer = desk.client.post(EXCHANGE, signed(owner, challenge)).ok()
    scoped = Scoped(owner.did, ("https://proxy.example",), ("a:x", "b:x"), 30)
    leaf = leaf_hash({"token_hash": "ab" * 32, "policy_version": "7", "iat": 5}, scoped)
    assert (answer["status"], answer["token"], answer["clawlogs_status"], answer["clawlogs_leaf_hash_b64u"]) == (
        "issued",
        "t.t.t",
        "written",
        leaf,
    )
    assert leaves.kept == [("identity-scope-exchange", leaf)]
    assert (issuer.asked[0]["sub"], issuer.asked[0]["token_lane"], issuer.asked[0]["tier"]) == (owner.did, "legacy", "exchange")
    assert desk.audit()[0]["event_type"] == "scope_token.exchanged"
    assert "t.t.t" not in json.dumps(desk.audit())


def test_a_pair_goes_to_the_canonical_lane_and_new_members_make_it_v2(make_identity: MakeIdentity) -> None:
    desk, issuer, _ = scoped_desk(make_identity)
    owner, controller, agent = desk.family()
    challenge = ask(desk, owner, controller_did=controller.did, agent_did=agent.did, run_id="r1").ok()
    assert challenge["message"].startswith("clawclaim:scope_exchange:v2:{")
    assert '"audience":"did:web:id.example"' in challenge["message"]
    desk.client.post(EXCHANGE, signed(owner, challenge)).ok()
    assert (issuer.asked[0]["sub"], issuer.asked[0]["token_lane"], issuer.asked[0]["run_id"]) == (agent.did, "canonical", "r1")


@pytest.mark.parametrize(
    "more",
    [
        {"aud": []},
        {"aud": ["a b"]},
        {"scope": []},
        {"scope": ["a b"]},
        {"controller_did": "x", "agent_did": "y"},
        {"policy_hash_b64u": "x"},
        {"run_id": "x" * 257},
        {"ttl_sec": "5"},
        {"surplus": 1},
    ],
)
def test_an_ill_formed_wish_is_refused(desk: Desk, more: dict[str, Any]) -> None:
    assert ask(desk, person(), **more).refusal == (400, "INVALID_REQUEST")


def test_a_wish_is_judged_in_order(desk: Desk) -> None:
    owner = person()
    assert ask(desk, owner, agent_did="did:key:zA").refusal == (403, "OWNER_BINDING_REQUIRED")
    desk.bind(owner)
    assert ask(desk, owner, agent_did="did:key:zA").refusal == (400, "INVALID_CANONICAL_CONTEXT")
    assert ask(desk, owner, owner_attestation_id="att_1").refusal == (404, "OWNER_ATTESTATION_NOT_FOUND")


def test_an_exchange_refuses_in_order_and_leaves_the_challenge_usable(make_identity: MakeIdentity) -> None:
    desk, issuer, _ = scoped_desk(make_identity)
    owner, other = person(), person()
    desk.bind(owner, other)
    body = signed(owner, ask(desk, owner).ok())
    assert desk.client.post(EXCHANGE, {**body, "challenge_id": "x"}).refusal == (404, "TOKEN_EXCHANGE_CHALLENGE_NOT_FOUND")
    assert desk.client.post(EXCHANGE, {**body, "owner_did": other.did}).refusal == (403, "TOKEN_EXCHANGE_OWNER_MISMATCH")
    assert desk.client.post(EXCHANGE, {**body, "signature_b64u": "A" * 86}).refusal == (401, "TOKEN_EXCHANGE_SIGNATURE_INVALID")
    issuer.refuse = True
    assert desk.client.post(EXCHANGE, body).refusal == (403, "FORBIDDEN")
    issuer.refuse = False
    desk.client.post(EXCHANGE, body).ok()
    assert desk.client.post(EXCHANGE, body).refusal == (409, "TOKEN_EXCHANGE_CHALLENGE_USED")
    late = signed(owner, ask(desk, owner).ok())
    desk.served.clock.move(301)
    assert desk.client.post(EXCHANGE, late).refusal == (409, "TOKEN_EXCHANGE_CHALLENGE_EXPIRED")
    desk.served.clock.move(86401)
    assert desk.client.post(EXCHANGE, late).refusal == (404, "TOKEN_EXCHANGE_CHALLENGE_NOT_FOUND")
    assert desk.client.post(EXCHANGE, body).refusal == (404, "TOKEN_EXCHANGE_CHALLENGE_NOT_FOUND")


def test_an_owner_revoked_meanwhile_is_not_served(make_identity: MakeIdentity) -> None:
    desk, issuer, _ = scoped_desk(make_identity)
    owner = person()
    desk.bind(owner)
    body = signed(owner, ask(desk, owner).ok())
    desk.revoke(owner)
    assert desk.client.post(EXCHANGE, body).refusal == (403, "OWNER_BINDING_REQUIRED")
    assert issuer.asked == []


def test_without_an_issuer_nothing_is_exchanged(desk: Desk) -> None:
    owner = person()
    desk.bind(owner)
    assert desk.client.post(EXCHANGE, signed(owner, ask(desk, owner).ok())).refusal == (503, "SCOPE_DEPENDENCY_NOT_CONFIGURED")


def test_a_log_that_fails_mints_nothing_where_it_is_required(make_identity: MakeIdentity) -> None:
    desk, issuer, leaves = scoped_desk(make_identity, clawlogs_mode="required")
    owner = person()
    desk.bind(owner)
    body = signed(owner, ask(desk, owner).ok())
    leaves.failing = True
    assert desk.client.post(EXCHANGE, body).refusal == (503, "CLAWLOGS_APPEND_FAILED")
    assert issuer.asked == []
    leaves.failing = False
    assert desk.client.post(EXCHANGE, body).ok()["clawlogs_status"] == "written"


def test_a_log_that_fails_is_skipped_otherwise(make_identity: MakeIdentity) -> None:
    desk, _, leaves = scoped_desk(make_identity)
    leaves.failing = True
    owner = person()
    desk.bind(owner)
    answer = desk.client.post(EXCHANGE, signed(owner, ask(desk, owner).ok())).ok()
    assert (answer["clawlogs_status"], answer["clawlogs_leaf_hash_b64u"]) == ("skipped", None)


def test_of_parallel_exchanges_one_mints(make_identity: MakeIdentity) -> None:
    desk, issuer, _ = scoped_desk(make_identity)
    owner = person()
    desk.bind(owner)
    body = signed(owner, ask(desk, owner).ok())
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: desk.client.post(EXCHANGE, body), range(30)))
    assert [answer.status for answer in answers].count(200) == 1
    assert {answer.refusal for answer in answers if answer.status != 200} == {(409, "TOKEN_EXCHANGE_CHALLENGE_USED")}
    assert len(issuer.asked) == 1
