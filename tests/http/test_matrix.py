"""The transition matrix (tokens.md §3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.control_plane import ControlPlane
from tests.http.client import Answer
from tests.http.serving import Served
from tests.http.tokens import control_token, legacy, revoke, token

SCOPES = {
    "controller.policy.update": "control:policy:update", "token.issue.sensitive": "control:token:issue_sensitive",
    "token.revoke": "control:token:revoke", "key.rotate": "control:key:rotate",
}  # fmt: skip


def matrix(served: Served, text: str, **more: Any) -> Answer:
    """Ask for the matrix."""
    return served.anyone.post("/v1/tokens/introspect/matrix", {"token": text, **more})


@pytest.mark.parametrize("transition", SCOPES)
def test_each_transition_opens_to_its_scope_alone(dev: Served, control_plane: ControlPlane, transition: str) -> None:
    text = control_token(dev, control_plane, SCOPES[transition])
    body = matrix(dev, text, transition=transition).ok()
    assert set(body) == {"active", "revoked", "token_hash", "transition", "transition_result", "matrix", "kid", "kid_source"}
    assert (body["active"], body["revoked"], body["transition"]) == (True, False, transition)
    assert body["transition_result"] == body["matrix"][transition]
    for name, entry in body["matrix"].items():
        assert set(entry) == {"allowed", "reason_code", "reason"}
        assert (entry["allowed"], entry["reason_code"]) == ((True, "ALLOWED") if name == transition else (False, "TOKEN_SCOPE_MISSING"))
    assert set(body["matrix"]) == set(SCOPES)


def test_without_transition_both_members_are_null(dev: Served, control_plane: ControlPlane) -> None:
    body = matrix(dev, control_token(dev, control_plane, "control:audit:read")).ok()
    assert (body["transition"], body["transition_result"]) == (None, None)


def test_reasons_come_in_order(dev: Served) -> None:
    chain = {"owner_did": "did:key:zO", "controller_did": "did:key:zC", "agent_did": "did:key:zAgent"}
    body = matrix(dev, token(dev)).ok()
    assert {entry["reason_code"] for entry in body["matrix"].values()} == {"TOKEN_CONTROL_CHAIN_MISSING"}
    body = matrix(dev, token(dev, **chain)).ok()
    assert {entry["reason_code"] for entry in body["matrix"].values()} == {"TOKEN_LANE_LEGACY_FORBIDDEN"}
    for gone in chain:
        part = {name: value for name, value in chain.items() if name != gone}
        body = matrix(dev, token(dev, **part)).ok()
        assert {entry["reason_code"] for entry in body["matrix"].values()} == {"TOKEN_CONTROL_CHAIN_MISSING"}


def test_fault_02_matrix_of_a_revoked_token_denies_every_entry(dev: Served, control_plane: ControlPlane) -> None:
    text = control_token(dev, control_plane, *SCOPES.values())
    assert all(entry["allowed"] for entry in matrix(dev, text).ok()["matrix"].values())
    revoke(dev, token=text).ok()
    body = matrix(dev, text, transition="token.revoke").ok()
    assert (body["active"], body["revoked"], body["error"]) == (False, True, "TOKEN_REVOKED")
    assert body["message"]
    assert body["transition_result"]["reason_code"] == "TOKEN_REVOKED"
    assert all((entry["allowed"], entry["reason_code"]) == (False, "TOKEN_REVOKED") for entry in body["matrix"].values())
    assert {"token_hash", "transition", "kid", "kid_source"} <= set(body)


@pytest.mark.parametrize("name", ["", "token.issue", "TOKEN.REVOKE", "constructor"])
def test_other_names_are_unknown(dev: Served, name: str) -> None:
    answer = matrix(dev, token(dev), transition=name)
    assert answer.refusal == (400, "TRANSITION_UNKNOWN")
    assert answer.json["active"] is False


def test_bad_tokens_answer_as_at_introspection(dev: Served) -> None:
    assert matrix(dev, "a.b.c").refusal == (401, "TOKEN_MALFORMED")
    assert matrix(dev, " ").refusal == (400, "INVALID_REQUEST")
    assert matrix(dev, "a.b.c").json["active"] is False
    body = legacy(dev).ok()
    assert matrix(dev, body["token"]).ok()["token_hash"] == body["token_hash"]
