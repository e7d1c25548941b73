"""Challenges for one's own DID, binding, revoking (identity.md §3, §4)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.identity.people import Desk, Person, person
from tests.http.identity.serving import MakeIdentity


def proof(one: Person, challenge: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"did": one.did, "challenge_id": challenge["challenge_id"], "signature_b64u": one.sign(challenge["message"]), **more}


def test_a_did_binds_by_signing_the_message_it_was_given(desk: Desk) -> None:
    one = person()
    challenge = desk.own_challenge(one.did)
    assert set(challenge) == {"challenge_id", "purpose", "did", "nonce", "message", "expires_at", "expires_in_sec"}
    parts = challenge["message"].split(":")
    assert parts == ["clawclaim", "bind", "v1", challenge["challenge_id"], challenge["nonce"], str(challenge["expires_at"])]
    bound = desk.client.post("/v1/bind", proof(one, challenge)).ok()
    assert (bound["status"], bound["did"], bound["active"]) == ("bound", one.did, True)
    assert bound["bound_at"] == desk.served.clock.now()
    assert bound["bound_at_iso"].endswith(".000Z")
    read = desk.client.get(f"/v1/bindings/{one.did}").ok()
    assert (read["active"], read["revoked_at"]) == (True, None)


def test_purpose_absent_is_bind_and_a_second_bind_is_already_bound(desk: Desk) -> None:
    one = person()
    desk.bind(one)
    challenge = desk.client.post("/v1/challenges", {"did": f" {one.did}\t"}).ok()
    assert challenge["purpose"] == "bind"
    assert challenge["did"] == one.did
    assert desk.client.post("/v1/bind", proof(one, challenge)).ok() == {"status": "already_bound", "did": one.did}


def test_a_v2_message_names_our_service(desk: Desk) -> None:
    one = person()
    challenge = desk.own_challenge(one.did, message_version="2")
    assert challenge["message"].startswith('clawclaim:bind:v2:{"audience":"did:web:id.example","challenge_id":')
    assert desk.client.post("/v1/bind", proof(one, challenge)).ok()["status"] == "bound"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"did": ""},
        {"did": "  "},
        {"did": 7},
        {"did": "nonsense"},
        {"did": "did:key:" + "z" * 300},
        {"did": "did:key:zA", "purpose": "export_identity"},
        {"did": "did:key:zA", "purpose": None},
        {"did": "did:key:zA", "message_version": "3"},
        {"did": "did:key:zA", "unknown": 1},
    ],
)
def test_an_ill_formed_request_for_a_challenge_is_refused(desk: Desk, body: dict[str, Any]) -> None:
    assert desk.client.post("/v1/challenges", body).refusal == (400, "INVALID_REQUEST")


def test_what_is_not_json_is_invalid_json(desk: Desk) -> None:
    assert desk.client.call("POST", "/v1/bind", raw=b"{").refusal == (400, "INVALID_JSON")
    assert desk.client.call("POST", "/v1/bind", raw=b"[]").refusal == (400, "INVALID_REQUEST")


def test_a_challenge_is_refused_for_each_reason_in_order(desk: Desk) -> None:
    one, other = person(), person()
    challenge = desk.own_challenge(one.did, "revoke")
    good = proof(one, challenge)
    unknown = {**good, "challenge_id": "0" * 8, "did": other.did}
    assert desk.client.post("/v1/bind", unknown).refusal == (404, "CHALLENGE_NOT_FOUND")
    assert desk.client.post("/v1/bind", {**good, "did": other.did}).refusal == (400, "CHALLENGE_DID_MISMATCH")
    assert desk.client.post("/v1/bind", good).refusal == (400, "CHALLENGE_PURPOSE_MISMATCH")
    desk.served.clock.move(601)
    assert desk.client.post("/v1/bindings/revoke", {**good, "signature_b64u": "x"}).refusal == (401, "CHALLENGE_EXPIRED")
    desk.served.clock.move(3600)
    assert desk.client.post("/v1/bindings/revoke", good).refusal == (404, "CHALLENGE_NOT_FOUND")


def test_a_challenge_is_good_in_its_last_second(desk: Desk) -> None:
    one = person()
    challenge = desk.own_challenge(one.did)
    desk.served.clock.move(challenge["expires_in_sec"])
    assert desk.client.post("/v1/bind", proof(one, challenge)).ok()["status"] == "bound"


@pytest.mark.parametrize(
    ("did", "code"),
    [
        ("did:web:example.com", "UNSUPPORTED_DID"),
        ("did:key:f00", "UNSUPPORTED_DID"),
        ("did:key:zAgent", "INVALID_DID"),
        ("did:key:z6MkeTG3bFFSLYVU7VqhgZxqr6YzpaGrQtFMh1uvqGy1vDnP1", "INVALID_DID"),
    ],
)
def test_method_and_key_are_judged_when_the_did_is_used(desk: Desk, did: str, code: str) -> None:
    challenge = desk.own_challenge(did)
    body = {"did": did, "challenge_id": challenge["challenge_id"], "signature_b64u": "A" * 86}
    assert desk.client.post("/v1/bind", body).refusal == (400, code)


def test_a_wrong_or_respelled_signature_leaves_the_challenge_usable(desk: Desk) -> None:
    one, other = person(), person()
    challenge = desk.own_challenge(one.did)
    good = proof(one, challenge)
    signature = good["signature_b64u"]
    respelled = signature[:-1] + chr(ord(signature[-1]) + 1)
    for bad in (other.sign(challenge["message"]), respelled, signature + "=", signature[:-1], " " + signature, "+" * 86):
        assert desk.client.post("/v1/bind", {**good, "signature_b64u": bad}).refusal == (401, "SIGNATURE_INVALID")
    assert desk.client.post("/v1/bind", good).ok()["status"] == "bound"
    assert desk.client.post("/v1/bind", good).refusal == (404, "CHALLENGE_NOT_FOUND")


def test_a_blank_signature_is_no_signature(desk: Desk) -> None:
    one = person()
    body = proof(one, desk.own_challenge(one.did))
    assert desk.client.post("/v1/bind", {**body, "signature_b64u": " "}).refusal == (400, "INVALID_REQUEST")


def test_revoked_is_for_ever(desk: Desk) -> None:
    one = person()
    desk.bind(one)
    early = desk.own_challenge(one.did)
    twice = desk.own_challenge(one.did, "revoke")
    revoked = desk.revoke(one, reason="  lost  ")
    assert revoked["event_key"].startswith("events:bindings:8199")
    assert revoked["event_key"].count(f":revoke:{one.did}:") == 1
    assert (revoked["status"], revoked["chains_inactive"], revoked["tokens_cut_off"]) == ("revoked", 0, "done")
    assert desk.client.post("/v1/challenges", {"did": one.did}).refusal == (403, "BINDING_REVOKED")
    assert desk.client.post("/v1/bind", proof(one, early)).refusal == (403, "BINDING_REVOKED")
    again = desk.client.post("/v1/bindings/revoke", proof(one, twice)).ok()
    assert (again["status"], again["revoked_at"]) == ("already_revoked", revoked["revoked_at"])
    assert desk.client.get(f"/v1/bindings/{one.did}").ok()["active"] is False


def test_only_a_bound_did_is_revoked(desk: Desk) -> None:
    one = person()
    challenge = desk.own_challenge(one.did, "revoke")
    assert desk.client.post("/v1/bindings/revoke", proof(one, challenge)).refusal == (404, "BINDING_NOT_FOUND")
    assert desk.client.get(f"/v1/bindings/{one.did}").refusal == (404, "BINDING_NOT_FOUND")


def test_revoking_ends_chains_and_tokens_at_once(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    assert desk.chain(controller.did, agent.did)["chain"]["active"] is True
    revoked = desk.revoke(owner)
    assert revoked["chains_inactive"] == 1
    chain = desk.chain(controller.did, agent.did)["chain"]
    assert (chain["active"], chain["inactive_reasons"]) == (False, ["owner_binding_inactive"])
    cut = [dimension for dimension, value in desk.served.cut_offs.made if value == owner.did]
    assert cut == ["sub", "owner_did", "controller_did", "agent_did", "delegator_did"]


def test_of_a_hundred_parallel_uses_of_one_challenge_one_succeeds(desk: Desk) -> None:
    one = person()
    body = proof(one, desk.own_challenge(one.did))
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: desk.client.post("/v1/bind", body), range(100)))
    assert [answer.status for answer in answers].count(200) == 1
    assert {answer.refusal for answer in answers if answer.status != 200} == {(404, "CHALLENGE_NOT_FOUND")}


def test_a_did_has_a_bounded_number_of_open_challenges(make_identity: MakeIdentity) -> None:
    desk = Desk(make_identity(open_challenges_per_did=2))
    one = person()
    desk.own_challenge(one.did)
    desk.own_challenge(one.did)
    refused = desk.client.post("/v1/challenges", {"did": one.did})
    assert refused.refusal == (429, "RATE_LIMITED")
    assert refused.headers["retry-after"]
    desk.served.clock.move(601)
    desk.own_challenge(one.did)


def test_one_source_is_limited_by_the_minute(make_identity: MakeIdentity) -> None:
    desk = Desk(make_identity(challenges_per_minute_per_ip=3, reads_per_minute_per_ip=2))
    for _ in range(3):
        desk.own_challenge(person().did)
    refused = desk.client.post("/v1/challenges", {"did": person().did})
    assert refused.refusal == (429, "RATE_LIMITED")
    assert int(refused.headers["retry-after"]) >= 60
    for _ in range(2):
        desk.client.get("/v1/bindings/did:key:zNobody")
    assert desk.client.get("/v1/bindings/did:key:zNobody").refusal == (429, "RATE_LIMITED")
    desk.served.clock.move(120)
    desk.own_challenge(person().did)


def test_a_malformed_escape_in_a_path_is_refused(desk: Desk) -> None:
    assert desk.client.call("GET", "/v1/bindings/%ff").refusal == (400, "INVALID_REQUEST")
    assert desk.client.call("GET", "/v1/bindings/did:key:zA%25zz").status == 404


def test_a_refusal_leaves_an_event_without_what_was_sent(desk: Desk) -> None:
    one = person()
    body = proof(one, desk.own_challenge(one.did))
    desk.client.post("/v1/bind", {**body, "signature_b64u": "A" * 86})
    told = desk.outbox("identity.request_refused.v1")[-1]
    assert told == {"code": "SIGNATURE_INVALID", "route": "POST /v1/bind", "did": one.did}
