"""Transfer of a controller to another owner (identity.md §7)."""

from __future__ import annotations

from typing import Any

from tests.http.client import Answer
from tests.http.identity.people import PLANE, Desk, Person, at, person
from tests.http.identity.test_rotation import rotate, rotation


def request(desk: Desk, owner: Person, controller: Person, target: Person) -> dict[str, Any]:
    named = {"controller_did": controller.did, "transfer_to_owner_did": target.did}
    body = {**desk.signed(owner, "transfer_controller_request", **named), "transfer_to_owner_did": target.did}
    answer: dict[str, Any] = desk.client.post(at(controller.did, "/transfer/request"), body).ok()
    return answer


def confirm(desk: Desk, target: Person, controller: Person) -> Answer:
    named = {"controller_did": controller.did, "transfer_to_owner_did": target.did}
    return desk.client.post(at(controller.did, "/transfer/confirm"), desk.signed(target, "transfer_controller_confirm", **named))


def cancel(desk: Desk, who: Person, controller: Person) -> Answer:
    return desk.client.post(
        at(controller.did, "/transfer/cancel"), desk.signed(who, "transfer_controller_cancel", controller_did=controller.did)
    )


def offered(desk: Desk) -> tuple[Person, Person, Person, Person]:
    owner, controller, agent = desk.family()
    target = person()
    desk.bind(target)
    request(desk, owner, controller, target)
    return owner, controller, agent, target


def test_a_transfer_is_requested_and_confirmed(desk: Desk) -> None:
    owner, controller, agent, target = offered(desk)
    before = desk.client.get(at(controller.did)).ok()["controller"]
    assert (before["transfer_state"], before["transfer_to_owner_did"]) == ("transfer_pending", target.did)
    assert before["transfer_expires_at"] == before["transfer_requested_at"] + 604800
    after = confirm(desk, target, controller).ok()["controller"]
    assert (after["owner_did"], after["transfer_state"], after["transferred_from_owner_did"]) == (target.did, "transferred", owner.did)
    assert after["policy"]["allowed_sensitive_scopes"] == before["policy"]["allowed_sensitive_scopes"]
    assert after["policy"]["policy_hash_b64u"] != before["policy"]["policy_hash_b64u"]
    chain = desk.chain(controller.did, agent.did)["chain"]
    assert (chain["active"], chain["owner_did"], chain["policy_hash_b64u"]) == (True, target.did, after["policy"]["policy_hash_b64u"])
    assert ("controller_owner", f"{controller.did} {owner.did}") in desk.served.cut_offs.made


def test_former_dids_lead_to_the_controller_under_its_new_owner(desk: Desk) -> None:
    owner, first, agent = desk.family()
    second, new_agent, target = person(), person(), person()
    desk.bind(second, new_agent, target)
    rotate(desk, owner, rotation("agent", agent, new_agent, first))
    rotate(desk, owner, rotation("controller", first, second))
    request(desk, owner, second, target)
    confirm(desk, target, second).ok()
    body = desk.chain(first.did, agent.did)
    assert (body["chain"]["controller_did"], body["chain"]["agent_did"]) == (second.did, new_agent.did)
    owners = {alias["owner_did"] for name in ("controller_aliases", "agent_aliases") for alias in body["alias_resolution"][name]}
    assert owners == {target.did}


def test_asking_and_confirming_again_say_only_what_stands(desk: Desk) -> None:
    owner, controller, _, target = offered(desk)
    unsigned = {"owner_did": owner.did, "challenge_id": "x", "signature_b64u": "x", "transfer_to_owner_did": target.did}
    path = at(controller.did, "/transfer/request")
    assert desk.client.post(path, unsigned).ok()["status"] == "already_pending"
    assert desk.client.post(path, {**unsigned, "transfer_to_owner_did": "z"}).refusal == (409, "TRANSFER_ALREADY_PENDING")
    assert desk.client.post(path, {**unsigned, "owner_did": target.did}).refusal == (403, "CONTROLLER_OWNER_MISMATCH")
    confirm(desk, target, controller).ok()
    repeated = {"owner_did": target.did, "challenge_id": "x", "signature_b64u": "x"}
    assert desk.client.post(at(controller.did, "/transfer/confirm"), repeated).ok()["status"] == "already_transferred"


def test_a_request_refuses_in_order(desk: Desk) -> None:
    owner, controller, _ = desk.family()
    target = person()
    desk.bind(target)
    named = {"controller_did": controller.did, "transfer_to_owner_did": target.did}
    body = {**desk.signed(owner, "transfer_controller_request", **named), "transfer_to_owner_did": target.did}
    path = at(controller.did, "/transfer/request")
    assert desk.client.post(path, {**body, "transfer_to_owner_did": owner.did}).refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")
    assert desk.client.post(path, {**body, "signature_b64u": "A" * 86}).refusal == (401, "SIGNATURE_INVALID")
    desk.revoke(target)
    assert desk.client.post(path, body).refusal == (403, "TRANSFER_TARGET_BINDING_REQUIRED")


def test_answers_to_a_transfer_refuse_in_order(desk: Desk) -> None:
    owner, controller, _, target = offered(desk)
    other = person()
    path = at(controller.did, "/transfer/confirm")
    unsigned = {"owner_did": other.did, "challenge_id": "x", "signature_b64u": "x"}
    assert desk.client.post(path, {**unsigned, "transfer_to_owner_did": target.did}).refusal == (400, "TRANSFER_CONTEXT_MISMATCH")
    assert desk.client.post(path, unsigned).refusal == (403, "TRANSFER_OWNER_MISMATCH")
    assert desk.client.post(at(controller.did, "/transfer/cancel"), unsigned).refusal == (403, "TRANSFER_OWNER_MISMATCH")
    assert desk.client.post(path, {**unsigned, "owner_did": target.did}).refusal == (404, "CHALLENGE_NOT_FOUND")
    cancel(desk, owner, controller).ok()
    assert desk.client.post(path, {**unsigned, "owner_did": target.did}).refusal == (409, "TRANSFER_NOT_PENDING")
    assert desk.client.post(at(controller.did, "/transfer/cancel"), unsigned).refusal == (409, "TRANSFER_NOT_PENDING")


def test_challenges_to_answer_a_transfer_are_judged(desk: Desk) -> None:
    owner, controller, _, target = offered(desk)
    other = person()
    desk.bind(other)
    named = {"controller_did": controller.did, "transfer_to_owner_did": other.did}
    assert desk.ask(owner, "transfer_controller_request", **named).refusal == (409, "TRANSFER_ALREADY_PENDING")
    assert desk.ask(other, "transfer_controller_confirm", **named).refusal == (403, "TRANSFER_OWNER_MISMATCH")
    assert desk.ask(target, "transfer_controller_confirm", **named).refusal == (400, "TRANSFER_CONTEXT_MISMATCH")
    assert desk.ask(other, "transfer_controller_cancel", controller_did=controller.did).refusal == (403, "TRANSFER_OWNER_MISMATCH")


def test_either_side_cancels_and_the_former_state_comes_back(desk: Desk) -> None:
    owner, controller, _, target = offered(desk)
    assert cancel(desk, target, controller).ok()["status"] == "transfer_cancelled"
    assert desk.client.get(at(controller.did)).ok()["transfer_state"] == "active"
    request(desk, owner, controller, target)
    confirm(desk, target, controller).ok()
    request(desk, target, controller, owner)
    kept = cancel(desk, owner, controller).ok()["controller"]
    assert (kept["transfer_state"], kept["owner_did"]) == ("transferred", target.did)


def test_a_transfer_runs_out_by_itself(desk: Desk) -> None:
    owner, controller, agent, target = offered(desk)
    desk.served.clock.move(604801)
    assert desk.client.get(at(controller.did)).ok()["transfer_state"] == "active"
    path = at(controller.did, "/transfer/confirm")
    unsigned = {"owner_did": target.did, "challenge_id": "x", "signature_b64u": "x"}
    assert desk.client.post(path, unsigned).refusal == (409, "TRANSFER_NOT_PENDING")
    desk.add_agent(owner, controller, target).ok()
    types = [row["event_type"] for row in desk.audit(subject_did=controller.did)]
    assert types[0] == "controller_transfer_expired"
    assert desk.chain(controller.did, agent.did)["chain"]["active"]


def test_a_challenge_from_before_the_freeze_does_not_pass_it(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    target, extra = person(), person()
    desk.bind(target, extra)
    under = {"controller_did": controller.did}
    rotated = {"agent": rotation("agent", agent, extra, controller), "controller": rotation("controller", controller, extra)}
    early = {
        at(controller.did, "/agents/register"): {
            **desk.signed(owner, "register_agent", agent_did=extra.did, **under),
            "agent_did": extra.did,
        },
        at(controller.did, "/sensitive-policy"): desk.signed(owner, "update_sensitive_policy", **under),
        at(controller.did, "/deactivate"): desk.signed(owner, "deactivate_controller", **under),
        at(controller.did, f"/agents/{agent.did}/deactivate"): desk.signed(owner, "deactivate_agent", agent_did=agent.did, **under),
    }
    rotations = [{**desk.signed(owner, "confirm_rotation", **one), **one} for one in rotated.values()]
    challenge = desk.ask(target, "register_controller", **under).ok()
    reclaim = {**desk.over(target, challenge, controller), **under}
    request(desk, owner, controller, target)
    frozen = (409, "CONTROLLER_TRANSFER_FROZEN")
    for path, body in early.items():
        assert desk.client.post(path, body).refusal == frozen
    for body in rotations:
        assert desk.client.post(f"{PLANE}/rotations/confirm", body).refusal == frozen
    assert desk.client.post(f"{PLANE}/controllers/register", reclaim).refusal == frozen
    for purpose, more in (
        ("register_agent", {"agent_did": extra.did}),
        ("update_sensitive_policy", {}),
        ("deactivate_controller", {}),
        ("export_identity", {}),
    ):
        assert desk.ask(owner, purpose, **under, **more).refusal == frozen
    assert desk.ask(target, "register_controller", **under).refusal == frozen
    assert desk.chain(controller.did, agent.did)["chain"]["transfer_state"] == "transfer_pending"
