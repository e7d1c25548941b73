"""Challenges of the control plane: form, state, message (identity.md §3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.identity.people import PLANE, Desk, person

HASH = "A" * 43
ONE, TWO = "did:key:zOne", "did:key:zTwo"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"purpose": "nothing"}, "INVALID_REQUEST"),
        ({"purpose": "register_controller"}, "INVALID_REQUEST"),
        ({"purpose": "register_controller", "controller_did": " "}, "INVALID_REQUEST"),
        ({"purpose": "register_controller", "controller_did": "x"}, "INVALID_REQUEST"),
        ({"purpose": "register_controller", "controller_did": ONE, "agent_did": TWO}, "INVALID_REQUEST"),
        ({"purpose": "register_controller", "controller_did": ONE, "policy_hash_b64u": "x"}, "INVALID_REQUEST"),
        ({"purpose": "register_controller", "controller_did": ONE, "allowed_sensitive_scopes": 1}, "INVALID_REQUEST"),
        ({"purpose": "register_controller", "controller_did": ONE, "unknown": 1}, "INVALID_REQUEST"),
        ({"purpose": "register_controller", "controller_did": ONE, "message_version": "9"}, "INVALID_REQUEST"),
        (
            {
                "purpose": "register_controller",
                "controller_did": ONE,
                "policy_hash_b64u": HASH,
                "allowed_sensitive_scopes": ["control:audit:read"],
            },
            "INVALID_REQUEST",
        ),
        ({"purpose": "register_controller", "controller_did": ONE, "context_parts": ["a|b"]}, "INVALID_CONTEXT_PARTS"),
        ({"purpose": "register_controller", "controller_did": ONE, "context_parts": [""]}, "INVALID_CONTEXT_PARTS"),
        ({"purpose": "register_controller", "controller_did": ONE, "context_parts": ["a"] * 9}, "INVALID_CONTEXT_PARTS"),
        ({"purpose": "register_controller", "controller_did": ONE, "context_parts": ["policy_hash_b64u=x"]}, "INVALID_CONTEXT_PARTS"),
        ({"purpose": "register_agent", "controller_did": ONE, "agent_did": TWO, "context_parts": ["to_did=x"]}, "INVALID_CONTEXT_PARTS"),
        ({"purpose": "register_controller", "controller_did": ONE, "allowed_sensitive_scopes": []}, "INVALID_SENSITIVE_POLICY"),
        ({"purpose": "register_controller", "controller_did": ONE, "allowed_sensitive_scopes": ["proxy:x"]}, "INVALID_SENSITIVE_POLICY"),
        ({"purpose": "confirm_rotation", "rotation_role": "owner", "from_did": ONE, "to_did": TWO}, "INVALID_REQUEST"),
        ({"purpose": "confirm_rotation", "rotation_role": "agent", "from_did": ONE, "to_did": TWO}, "INVALID_REQUEST"),
        (
            {"purpose": "confirm_rotation", "rotation_role": "controller", "from_did": ONE, "to_did": TWO, "controller_did": TWO},
            "INVALID_REQUEST",
        ),
        ({"purpose": "transfer_controller_request", "controller_did": ONE}, "INVALID_REQUEST"),
        ({"purpose": "export_identity", "controller_did": ONE, "audience": []}, "INVALID_REQUEST"),
        ({"purpose": "export_identity", "controller_did": ONE, "audience": ["x"]}, "INVALID_REQUEST"),
        ({"purpose": "import_identity", "bundle_hash_b64u": "x"}, "INVALID_REQUEST"),
        ({"purpose": "set_primary_did", "account_id": "a" * 129}, "INVALID_REQUEST"),
    ],
)
def test_the_form_is_judged_before_any_state(desk: Desk, members: dict[str, Any], code: str) -> None:
    assert desk.ask(person(), **members).refusal == (400, code)


def test_states_are_judged_in_order(desk: Desk) -> None:
    owner, other, controller, agent = person(), person(), person(), person()
    named = {"controller_did": controller.did, "agent_did": agent.did}
    assert desk.ask(owner, "register_agent", **named).refusal == (403, "OWNER_BINDING_REQUIRED")
    desk.bind(owner, other, controller, agent)
    assert desk.ask(owner, "register_agent", **named).refusal == (404, "CONTROLLER_NOT_FOUND")
    desk.register(owner, controller).ok()
    assert desk.ask(other, "register_agent", **named).refusal == (403, "CONTROLLER_OWNER_MISMATCH")
    body = desk.signed(owner, "deactivate_controller", controller_did=controller.did)
    desk.client.post(f"{PLANE}/controllers/{controller.did}/deactivate", body).ok()
    assert desk.ask(other, "register_agent", **named).refusal == (403, "CONTROLLER_INACTIVE")


def test_the_states_of_rotation_export_and_transfer_are_judged(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    stranger, target = person(), person()
    desk.bind(target)
    rotation = {"rotation_role": "agent", "from_did": agent.did, "to_did": stranger.did, "controller_did": controller.did}
    assert desk.ask(owner, "confirm_rotation", **rotation).refusal == (403, "ROTATION_TARGET_BINDING_REQUIRED")
    unknown = {**rotation, "from_did": stranger.did, "to_did": target.did}
    assert desk.ask(owner, "confirm_rotation", **unknown).refusal == (404, "CONTROLLER_AGENT_NOT_FOUND")
    export = {"controller_did": controller.did, "agent_did": stranger.did}
    assert desk.ask(owner, "export_identity", **export).refusal == (404, "CONTROLLER_AGENT_NOT_FOUND")
    to_self = {"controller_did": controller.did, "transfer_to_owner_did": owner.did}
    assert desk.ask(owner, "transfer_controller_request", **to_self).refusal == (400, "TRANSFER_TARGET_INVALID")
    unbound = {"controller_did": controller.did, "transfer_to_owner_did": stranger.did}
    assert desk.ask(owner, "transfer_controller_request", **unbound).refusal == (403, "TRANSFER_TARGET_BINDING_REQUIRED")
    assert desk.ask(owner, "transfer_controller_cancel", controller_did=controller.did).refusal == (409, "TRANSFER_NOT_PENDING")


def test_v1_says_who_and_what_in_the_wires_order(desk: Desk) -> None:
    owner, controller, agent = desk.family()
    agent_challenge = desk.ask(
        owner, "register_agent", controller_did=controller.did, agent_did=agent.did, context_parts=["ticket 7", "x=1"]
    ).ok()
    assert agent_challenge["message"] == (
        f"clawclaim:register_agent:v1:{agent_challenge['challenge_id']}:{owner.did}:{controller.did}:{agent.did}"
        f":ticket 7|x=1:{agent_challenge['nonce']}:{agent_challenge['expires_at']}"
    )
    plain = desk.ask(owner, "update_sensitive_policy", controller_did=controller.did).ok()
    assert plain["message"] == (
        f"clawclaim:update_sensitive_policy:v1:{plain['challenge_id']}:{owner.did}:{controller.did}:-"
        f":{plain['nonce']}:{plain['expires_at']}"
    )
    export = desk.ask(owner, "export_identity", controller_did=controller.did, audience=["did:web:a.example", "did:web:b.example"]).ok()
    assert f":controller_did={controller.did}|audience=did:web:a.example,did:web:b.example|export_version=1:" in export["message"]
    imported = desk.ask(owner, "import_identity", bundle_hash_b64u=HASH).ok()
    assert f":{owner.did}:-:-:bundle_hash_b64u={HASH}|import_version=1:" in imported["message"]


def test_every_bound_field_is_echoed_and_foreign_context_ignored(desk: Desk) -> None:
    owner, controller, _ = desk.family()
    challenge = desk.ask(owner, "deactivate_controller", controller_did=controller.did, context_parts=["a|b"]).ok()
    assert (challenge["controller_did"], challenge["context_parts"], challenge["expires_in_sec"]) == (controller.did, [], 600)
    unused = ("agent_did", "rotation_role", "from_did", "to_did", "transfer_to_owner_did", "policy_hash_b64u", "bundle_hash_b64u")
    assert all(challenge[name] is None for name in unused)


def test_v2_carries_its_context_as_an_object(desk: Desk) -> None:
    owner, controller, _ = desk.family()
    members = {"controller_did": controller.did, "context_parts": ["x"], "allowed_sensitive_scopes": ["control:audit:read"]}
    challenge = desk.ask(owner, "update_sensitive_policy", message_version="2", **members).ok()
    context = f'"context":{{"context_parts":["x"],"policy_hash_b64u":"{challenge["policy_hash_b64u"]}"}}'
    assert context in challenge["message"]
    assert challenge["message"].startswith("clawclaim:update_sensitive_policy:v2:{")
