"""Controllers and their sensitive policies (identity.md §5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.identity.people import PLANE, Desk, at, person
from tests.http.identity.serving import MakeIdentity

DEFAULT = ["control:token:issue_sensitive", "control:token:revoke", "control:key:rotate", "control:policy:update"]
REGISTER = f"{PLANE}/controllers/register"


def test_an_owner_registers_a_controller_with_the_default_policy(desk: Desk) -> None:
    owner, controller = person(), person()
    desk.bind(owner, controller)
    answer = desk.register(owner, controller).ok()
    assert answer["status"] == "registered"
    assert answer["event_key"].startswith("events:control-plane:8199999999:controller-register:" + owner.did) or answer["event_key"]
    made = answer["controller"]
    assert (made["owner_did"], made["active"], made["transfer_state"], made["consent"]) == (owner.did, True, "active", "owner_only")
    assert (made["version"], made["origin_issuer"]) == (1, "did:web:id.example")
    assert made["policy"]["allowed_sensitive_scopes"] == DEFAULT
    assert desk.register(owner, controller).ok()["status"] == "already_registered"


def test_registration_refuses_in_order(desk: Desk) -> None:
    owner, other, controller = person(), person(), person()
    desk.bind(owner, other)
    challenge = desk.ask(owner, "register_controller", controller_did=controller.did).ok()
    body = {**desk.over(owner, challenge), "controller_did": controller.did}
    assert desk.client.post(REGISTER, {**body, "challenge_id": "x"}).refusal == (404, "CHALLENGE_NOT_FOUND")
    other_purpose = desk.own_challenge(owner.did)
    assert desk.client.post(REGISTER, {**body, "challenge_id": other_purpose["challenge_id"]}).refusal == (
        400,
        "CHALLENGE_PURPOSE_MISMATCH",
    )
    assert desk.client.post(REGISTER, {**body, "controller_did": other.did}).refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")
    assert desk.client.post(REGISTER, body).refusal == (403, "CONTROLLER_BINDING_REQUIRED")
    desk.bind(controller)
    assert desk.client.post(REGISTER, {**body, "signature_b64u": "A" * 86}).refusal == (401, "SIGNATURE_INVALID")
    desk.client.post(REGISTER, body).ok()
    assert desk.client.post(REGISTER, body).refusal == (404, "CHALLENGE_NOT_FOUND")
    assert desk.register(other, controller, consent=False).refusal == (409, "CONTROLLER_OWNER_MISMATCH")


def test_a_revoked_owner_and_an_expired_challenge_are_refused(desk: Desk) -> None:
    owner, controller = person(), person()
    desk.bind(owner, controller)
    body = {**desk.signed(owner, "register_controller", controller_did=controller.did), "controller_did": controller.did}
    desk.served.clock.move(601)
    assert desk.client.post(REGISTER, body).refusal == (401, "CHALLENGE_EXPIRED")
    fresh = {**desk.signed(owner, "register_controller", controller_did=controller.did), "controller_did": controller.did}
    desk.revoke(owner)
    assert desk.client.post(REGISTER, fresh).refusal == (403, "OWNER_BINDING_REQUIRED")


def test_the_signer_picks_the_scopes_not_the_relay(desk: Desk) -> None:
    owner, controller = person(), person()
    desk.bind(owner, controller)
    body = {**desk.signed(owner, "register_controller", controller_did=controller.did), "controller_did": controller.did}
    for relayed in (["control:*"], ["control:money:move"]):
        refused = desk.client.post(REGISTER, {**body, "allowed_sensitive_scopes": relayed})
        assert refused.refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")
    for faulty in ([], ["proxy:call"], ["control:" + "x" * 130], ["control:a"] * 65):
        refused = desk.client.post(REGISTER, {**body, "allowed_sensitive_scopes": faulty})
        assert refused.refusal == (400, "INVALID_SENSITIVE_POLICY")
    kept = desk.client.post(REGISTER, {**body, "allowed_sensitive_scopes": ["control:token:revoke", "control:audit:read"]}).ok()
    assert kept["controller"]["policy"]["allowed_sensitive_scopes"] == ["control:audit:read", "control:token:revoke"]


def test_a_challenge_made_with_scopes_or_a_hash_admits_only_that_policy(desk: Desk) -> None:
    owner, controller = person(), person()
    desk.bind(owner, controller)
    chosen = ["control:*", "control:z"]
    challenge = desk.ask(owner, "register_controller", controller_did=controller.did, allowed_sensitive_scopes=chosen[::-1]).ok()
    assert f":policy_hash_b64u={challenge['policy_hash_b64u']}:" in challenge["message"]
    body = {**desk.over(owner, challenge), "controller_did": controller.did}
    assert desk.client.post(REGISTER, body).refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")
    made = desk.client.post(REGISTER, {**body, "allowed_sensitive_scopes": chosen}).ok()["controller"]
    assert made["policy"]["policy_hash_b64u"] == challenge["policy_hash_b64u"]
    update = at(controller.did, "/sensitive-policy")
    hashed = desk.signed(owner, "update_sensitive_policy", controller_did=controller.did, policy_hash_b64u=challenge["policy_hash_b64u"])
    assert desk.client.post(update, hashed).refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")
    assert desk.client.post(update, {**hashed, "allowed_sensitive_scopes": chosen}).ok()["status"] == "updated"


def test_an_operator_may_narrow_what_an_unbound_challenge_admits(make_identity: MakeIdentity) -> None:
    desk = Desk(make_identity(require_bound_policy=True))
    owner, controller = person(), person()
    desk.bind(owner, controller)
    body = {**desk.signed(owner, "register_controller", controller_did=controller.did), "controller_did": controller.did}
    refused = desk.client.post(REGISTER, {**body, "allowed_sensitive_scopes": ["control:audit:read"]})
    assert refused.refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")
    desk.client.post(REGISTER, {**body, "allowed_sensitive_scopes": DEFAULT}).ok()


def test_narrowing_a_policy_cuts_off_what_it_no_longer_allows(desk: Desk) -> None:
    owner, controller, _ = desk.family()
    body = desk.signed(owner, "update_sensitive_policy", controller_did=controller.did)
    updated = desk.client.post(at(controller.did, "/sensitive-policy"), {**body, "allowed_sensitive_scopes": DEFAULT[:2]}).ok()
    assert updated["controller"]["version"] == 3
    assert desk.served.cut_offs.made[-1] == ("controller_scopes", f"{controller.did} control:key:rotate control:policy:update")
    back = desk.client.post(
        at(controller.did, "/sensitive-policy"), desk.signed(owner, "update_sensitive_policy", controller_did=controller.did)
    ).ok()
    assert back["controller"]["policy"]["allowed_sensitive_scopes"] == DEFAULT
    assert desk.served.cut_offs.made[-1][0] == "controller_scopes"
    assert len([one for one in desk.served.cut_offs.made if one[1].startswith(controller.did)]) == 1


def test_policy_updates_refuse_in_order(desk: Desk) -> None:
    owner, controller, _ = desk.family()
    path = at(controller.did, "/sensitive-policy")
    body = desk.signed(owner, "update_sensitive_policy", controller_did=controller.did)
    faulty = {**body, "allowed_sensitive_scopes": ["x"]}
    assert desk.client.post(path, {**faulty, "signature_b64u": "A" * 86}).refusal == (401, "SIGNATURE_INVALID")
    assert desk.client.post(path, faulty).refusal == (400, "INVALID_SENSITIVE_POLICY")
    desk.client.post(at(controller.did, "/deactivate"), desk.signed(owner, "deactivate_controller", controller_did=controller.did)).ok()
    assert desk.client.post(path, body).refusal == (403, "CONTROLLER_INACTIVE")


def test_naming_a_did_first_is_no_claim_against_its_own_key(desk: Desk) -> None:
    squatter, owner, controller, agent = person(), person(), person(), person()
    desk.bind(squatter, owner, controller, agent)
    desk.register(squatter, controller).ok()
    desk.add_agent(squatter, controller, agent).ok()
    reclaimed = desk.register(owner, controller, consent=True).ok()
    assert (reclaimed["status"], reclaimed["controller"]["owner_did"], reclaimed["controller"]["consent"]) == (
        "registered",
        owner.did,
        "signed",
    )
    assert desk.chain(controller.did, agent.did)["chain"]["inactive_reasons"] == ["agent_inactive"]
    assert ("controller_did", controller.did) in desk.served.cut_offs.made
    assert desk.audit(subject_did=controller.did)[0]["event_type"] == "controller_reclaimed"
    third = person()
    desk.bind(third)
    assert desk.register(third, controller, consent=True).refusal == (409, "CONTROLLER_OWNER_MISMATCH")
    desk.revoke(owner)
    assert desk.register(third, controller, consent=True).ok()["controller"]["owner_did"] == third.did


def test_a_wrong_consent_is_refused_and_may_be_demanded(desk: Desk, make_identity: MakeIdentity) -> None:
    owner, controller = person(), person()
    desk.bind(owner, controller)
    challenge = desk.ask(owner, "register_controller", controller_did=controller.did).ok()
    body = {**desk.over(owner, challenge, owner), "controller_did": controller.did}
    assert desk.client.post(REGISTER, body).refusal == (401, "SIGNATURE_INVALID")
    strict = Desk(make_identity(subject_consent="required"))
    strict.bind(owner, controller)
    assert strict.register(owner, controller).refusal == (403, "SUBJECT_CONSENT_REQUIRED")
    assert strict.register(owner, controller, consent=True).ok()["controller"]["consent"] == "signed"


def test_a_deactivated_controller_comes_back_when_registered_again(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    early = desk.signed(owner, "deactivate_controller", controller_did=controller.did)
    stopped = desk.client.post(
        at(controller.did, "/deactivate"), desk.signed(owner, "deactivate_controller", controller_did=controller.did)
    ).ok()
    assert (stopped["status"], stopped["controller"]["active"]) == ("deactivated", False)
    assert ("controller_did", controller.did) in desk.served.cut_offs.made
    assert desk.chain(controller.did, agent.did)["chain"]["inactive_reasons"] == ["controller_inactive"]
    assert desk.client.post(at(controller.did, "/deactivate"), early).ok()["status"] == "already_inactive"
    again = desk.register(owner, controller).ok()
    assert (again["status"], again["reactivated"]) == ("registered", True)
    assert desk.chain(controller.did, agent.did)["chain"]["active"] is True


@pytest.mark.parametrize("rest", ["/agents/register", "/sensitive-policy", "/deactivate", "/transfer/request", "/transfer/cancel"])
def test_below_an_unknown_controller_nothing_is_found(desk: Desk, rest: str) -> None:
    body: dict[str, Any] = {"owner_did": "a", "challenge_id": "b", "signature_b64u": "c"}
    body |= {"agent_did": "d"} if rest.startswith("/agents") else {}
    body |= {"transfer_to_owner_did": "e"} if rest.endswith("request") else {}
    assert desk.client.post(at("did:key:zNobody", rest), body).refusal == (404, "CONTROLLER_NOT_FOUND")
    assert desk.client.get(at("did:key:zNobody")).refusal == (404, "CONTROLLER_NOT_FOUND")
    assert desk.client.get(at("did:key:zNobody", "/agents")).refusal == (404, "CONTROLLER_NOT_FOUND")
