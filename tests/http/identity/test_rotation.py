"""Rotation and aliases (identity.md §6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.identity.people import PLANE, Desk, Person, at, person

CONFIRM = f"{PLANE}/rotations/confirm"


def rotation(role: str, old: Person, new: Person, controller: Person | None = None) -> dict[str, Any]:
    named = {"rotation_role": role, "from_did": old.did, "to_did": new.did}
    return named if controller is None else {**named, "controller_did": controller.did}


def rotate(desk: Desk, owner: Person, named: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = desk.client.post(CONFIRM, {**desk.signed(owner, "confirm_rotation", **named), **named}).ok()
    return answer


def test_a_controller_continues_with_policy_agents_and_aliases(desk: Desk) -> None:
    owner, first, agent = desk.family()
    second, third = person(), person()
    desk.bind(second, third)
    made = rotate(desk, owner, rotation("controller", first, second))
    assert made["status"] == "rotated"
    assert (made["alias"]["from_did"], made["alias"]["to_did"], made["alias"]["role"]) == (first.did, second.did, "controller")
    assert ("controller_did", first.did) in desk.served.cut_offs.made
    rotate(desk, owner, rotation("controller", second, third))
    body = desk.chain(first.did, agent.did)
    assert (body["chain"]["controller_did"], body["chain"]["active"]) == (third.did, True)
    assert body["controller"]["rotated_from_did"] == second.did
    way = body["alias_resolution"]
    assert (way["requested_controller_did"], way["resolved_controller_did"]) == (first.did, third.did)
    assert [(alias["from_did"], alias["to_did"]) for alias in way["controller_aliases"]] == [
        (first.did, second.did),
        (second.did, third.did),
    ]
    assert desk.client.get(at(first.did)).ok()["resolved_controller_did"] == third.did
    assert desk.register(owner, first).refusal == (409, "ROTATION_CONFLICT")


def test_an_agent_continues_and_its_old_did_leads_there(desk: Desk) -> None:
    owner, controller, first = desk.family()
    second = person()
    desk.bind(second)
    made = rotate(desk, owner, rotation("agent", first, second, controller))
    assert made["alias"]["controller_did"] == controller.did
    assert ("chain", f"{controller.did} {first.did}") in desk.served.cut_offs.made
    body = desk.chain(controller.did, first.did)
    assert (body["chain"]["agent_did"], body["chain"]["active"]) == (second.did, True)
    assert body["alias_resolution"]["agent_aliases"][0]["from_did"] == first.did
    assert desk.add_agent(owner, controller, first).refusal == (409, "ROTATION_CONFLICT")
    moved = person()
    desk.bind(moved)
    rotate(desk, owner, rotation("controller", controller, moved))
    body = desk.chain(controller.did, first.did)
    assert (body["chain"]["controller_did"], body["chain"]["agent_did"]) == (moved.did, second.did)


def test_confirming_again_changes_nothing_and_another_target_conflicts(desk: Desk) -> None:
    owner, controller, first = desk.family()
    second, third = person(), person()
    desk.bind(second, third)
    named = rotation("agent", first, second, controller)
    later = desk.signed(owner, "confirm_rotation", **rotation("agent", first, third, controller))
    rotate(desk, owner, named)
    assert rotate(desk, owner, named)["status"] == "already_confirmed"
    refused = desk.client.post(CONFIRM, {**later, **rotation("agent", first, third, controller)})
    assert refused.refusal == (409, "ROTATION_CONFLICT")


def test_a_repeated_controller_rotation_is_already_confirmed(desk: Desk) -> None:
    owner, first, _ = desk.family()
    second = person()
    desk.bind(second)
    rotate(desk, owner, rotation("controller", first, second))
    assert rotate(desk, owner, rotation("controller", first, second))["status"] == "already_confirmed"


def test_rotation_refuses_in_order(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    target, other = person(), person()
    desk.bind(target, other)
    named = rotation("agent", agent, target, controller)
    body = {**desk.signed(owner, "confirm_rotation", **named), **named}
    assert desk.client.post(CONFIRM, {**body, "to_did": other.did}).refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")
    assert desk.client.post(CONFIRM, {**body, "signature_b64u": "A" * 86}).refusal == (401, "SIGNATURE_INVALID")
    named = rotation("agent", agent, agent, controller)
    refused = desk.client.post(CONFIRM, {**desk.signed(owner, "confirm_rotation", **named), **named})
    assert refused.refusal == (409, "ROTATION_TARGET_CONFLICT")
    desk.revoke(target)
    assert desk.client.post(CONFIRM, body).refusal == (403, "ROTATION_TARGET_BINDING_REQUIRED")


def test_nobody_rotates_back_or_onto_a_controller(desk: Desk) -> None:
    owner, first, _ = desk.family()
    _, foreign, _ = desk.family()
    second = person()
    desk.bind(second)
    rotate(desk, owner, rotation("controller", first, second))
    for target in (first, foreign, second):
        named = rotation("controller", second, target)
        refused = desk.client.post(CONFIRM, {**desk.signed(owner, "confirm_rotation", **named), **named})
        assert refused.refusal == (409, "ROTATION_TARGET_CONFLICT")


def test_a_strangers_rotation_changes_no_other_owners_chain(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    stranger, own = person(), person()
    replacement = person()
    desk.bind(stranger, own, replacement)
    desk.register(stranger, own).ok()
    desk.add_agent(stranger, own, agent).ok()
    rotate(desk, stranger, rotation("agent", agent, replacement, own))
    body = desk.chain(controller.did, agent.did)
    assert (body["chain"]["owner_did"], body["chain"]["agent_did"], body["chain"]["active"]) == (owner.did, agent.did, True)
    named = rotation("controller", controller, replacement)
    assert desk.ask(stranger, "confirm_rotation", **named).refusal == (403, "CONTROLLER_OWNER_MISMATCH")


@pytest.mark.parametrize(
    "change",
    [
        {"rotation_role": "owner"},
        {"controller_did": None},
        {"rotation_role": "controller", "controller_did": "did:key:zA"},
        {"to_did": " "},
    ],
)
def test_an_ill_formed_rotation_is_refused(desk: Desk, change: dict[str, Any]) -> None:
    body = {"owner_did": "a", "challenge_id": "b", "signature_b64u": "c", "rotation_role": "agent", "from_did": "x", "to_did": "y"}
    sent = {name: value for name, value in {**body, "controller_did": "z", **change}.items() if value is not None}
    assert desk.client.post(CONFIRM, sent).refusal == (400, "INVALID_REQUEST")


def test_a_rotation_whose_controller_was_never_registered_finds_none(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    target = person()
    desk.bind(target)
    named = rotation("agent", agent, target, controller)
    body = {**desk.signed(owner, "confirm_rotation", **named), **named}
    refused = desk.client.post(CONFIRM, {**body, "controller_did": target.did})
    assert refused.refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")
