"""Revocation: targets, answers, families, reach (tokens.md §4.1)."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clawscope.kernel.clock import iso_ms
from tests.fakes.control_plane import ControlPlane
from tests.http.serving import ISSUER, Served
from tests.http.tokens import control_token, exchange, introspect, legacy, revoke, signed, token, unique

SCOPES = ("control:token:revoke", "control:token:issue_sensitive", "control:*")


def test_answer_is_exactly_what_the_contract_says(dev: Served) -> None:
    issued = legacy(dev).ok()
    answer = revoke(dev, token=issued["token"], reason="bye")
    body = answer.ok()
    assert answer.headers["cache-control"] == "no-store"
    at = body["revoked_at"]
    assert body == {
        "status": "revoked", "token_hash": issued["token_hash"], "jti": issued["jti"], "sequence": body["sequence"], "revoked_at": at,
        "revoked_at_iso": iso_ms(at), "event_key": f"events:revocations:{9_999_999_999 - at:010d}:{issued['token_hash']}", "known": True,
        "descendants": 0, "effective_within_s": 2,
    }  # fmt: skip
    again = revoke(dev, token=issued["token"], reason="another").ok()
    assert again == body | {"status": "already_revoked"}
    latest = dev.operator.get("/v1/revocations/events", limit=1).ok()["events"][0]
    assert latest["key"] == body["event_key"]
    assert (latest["record"]["reason"], latest["record"]["sequence"]) == ("bye", body["sequence"])


@pytest.mark.parametrize("target", ["token", "token_hash", "jti"])
def test_every_name_of_a_token_revokes_it(dev: Served, target: str) -> None:
    issued = legacy(dev).ok()
    body = revoke(dev, **{target: issued[target]}).ok()
    assert (body["token_hash"], body["jti"], body["known"]) == (issued["token_hash"], issued["jti"], True)
    assert introspect(dev, issued["token"]).ok()["revoked"] is True
    for other in ("token", "token_hash", "jti"):
        assert revoke(dev, **{other: issued[other]}).ok()["status"] == "already_revoked"


def test_hash_is_trimmed_and_lower_cased(dev: Served) -> None:
    issued = legacy(dev).ok()
    assert revoke(dev, token_hash=f" {issued['token_hash'].upper()} ").ok()["token_hash"] == issued["token_hash"]


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "g" * 64, "x", "0x" + "0" * 62])
def test_text_that_is_no_hash_is_refused(dev: Served, text: str) -> None:
    assert revoke(dev, token_hash=text).refusal == (400, "INVALID_TOKEN_HASH")


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.b"])
def test_text_that_is_no_token_is_refused(dev: Served, text: str) -> None:
    assert revoke(dev, token=text).refusal == (400, "INVALID_TOKEN")


def test_nothing_or_two_that_differ_is_refused(dev: Served) -> None:
    first, second = legacy(dev).ok(), legacy(dev).ok()
    assert revoke(dev).refusal == (400, "INVALID_REQUEST")
    assert revoke(dev, reason="x").refusal == (400, "INVALID_REQUEST")
    assert revoke(dev, token=first["token"], token_hash=second["token_hash"]).refusal == (400, "INVALID_REQUEST")
    assert revoke(dev, token=first["token"], jti=second["jti"]).refusal == (400, "INVALID_REQUEST")
    assert revoke(dev, token_hash=first["token_hash"], jti=second["jti"]).refusal == (400, "INVALID_REQUEST")
    assert introspect(dev, first["token"]).ok()["active"] is True
    both: dict[str, Any] = {"token": first["token"], "token_hash": first["token_hash"], "jti": first["jti"]}
    assert revoke(dev, **both).ok()["status"] == "revoked"


def test_unknown_hash_is_recorded_and_holds_when_the_token_appears(dev: Served) -> None:
    text = signed(dev)
    hashed = hashlib.sha256(text.encode()).hexdigest()
    body = revoke(dev, token_hash=hashed).ok()
    assert (body["status"], body["known"], body["token_hash"]) == ("revoked", False, hashed)
    assert "jti" not in body
    assert introspect(dev, text).ok()["revoked"] is True


def test_foreign_signature_records_the_hash_and_not_the_jti(dev: Served) -> None:
    issued = legacy(dev).ok()
    header, payload, signature = issued["token"].split(".")
    forged = f"{header}.{payload}.{'A' * 85}{'A' if signature[-1] != 'A' else 'Q'}"
    body = revoke(dev, token=forged).ok()
    assert body["known"] is False
    assert "jti" not in body
    assert introspect(dev, issued["token"]).ok()["active"] is True


def test_reason_is_trimmed_and_cut_at_256(dev: Served) -> None:
    revoke(dev, token=token(dev), reason="  " + "y" * 300 + "  ").ok()
    record = dev.operator.get("/v1/revocations/events", limit=1).ok()["events"][0]["record"]
    assert record["reason"] == "y" * 256
    assert record["revoked_by"] == "operator:dev"


def test_fault_01_revoked_token_has_no_second_spelling(dev: Served) -> None:
    text = token(dev)
    revoke(dev, token=text).ok()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(text[-1])
    spare = [text[:-1] + alphabet[(last & ~15) | bits] for bits in range(16)]
    spellings = [
        *spare,
        text + "=",
        text + "==",
        text + " ",
        " " + text,
        text.replace("-", "+"),
        text.replace("_", "/"),
        text + "\n",
        text.upper(),
    ]
    for spelling in set(spellings) - {text}:
        assert introspect(dev, spelling).refusal[0] == 401
        assert introspect(dev, spelling).json["active"] is False
    assert introspect(dev, text).ok()["revoked"] is True


def test_fault_13_revocation_outlives_its_token(dev: Served) -> None:
    issued = legacy(dev, ttl_sec=3600).ok()
    revoke(dev, token=issued["token"]).ok()
    record = dev.operator.get("/v1/revocations/events", limit=1).ok()["events"][0]["record"]
    assert record["exp"] >= issued["exp"]
    unknown = revoke(dev, token_hash=hashlib.sha256(unique("x").encode()).hexdigest()).ok()
    record = dev.operator.get("/v1/revocations/events", limit=1).ok()["events"][0]["record"]
    assert record["exp"] >= unknown["revoked_at"] + 86400


def test_fault_15_of_parallel_revokes_one_says_revoked(dev: Served) -> None:
    issued = legacy(dev).ok()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: revoke(dev, token=issued["token"]).ok(), range(20)))
    assert sorted(answer["status"] for answer in answers) == ["already_revoked"] * 19 + ["revoked"]
    assert len({(answer["sequence"], answer["revoked_at"]) for answer in answers}) == 1


def test_family_revokes_the_root_and_everything_below(dev: Served) -> None:
    root = legacy(dev, scope=["proxy:call", "proxy:stop"]).ok()
    child = exchange(dev, root["token"], scope="proxy:call").ok()
    grandchild = exchange(dev, child["access_token"]).ok()
    body = revoke(dev, token=grandchild["access_token"], family=True).ok()
    assert (body["jti"], body["token_hash"], body["descendants"]) == (root["jti"], root["token_hash"], 2)
    assert introspect(dev, root["token"]).ok()["revoked_by_kind"] == "token"
    for text in (child["access_token"], grandchild["access_token"]):
        shown = introspect(dev, text).ok()
        assert (shown["revoked"], shown["revoked_by_kind"]) == (True, "ancestor")


def test_without_family_only_what_is_below_ends(dev: Served) -> None:
    root = token(dev)
    child = exchange(dev, root).ok()["access_token"]
    sibling = exchange(dev, root).ok()["access_token"]
    grandchild = exchange(dev, child).ok()["access_token"]
    assert revoke(dev, token=child).ok()["descendants"] == 1
    assert introspect(dev, grandchild).ok()["revoked"] is True
    assert introspect(dev, root).ok()["active"] is True
    assert introspect(dev, sibling).ok()["active"] is True


@pytest.mark.parametrize("scope", SCOPES[:2])
def test_control_token_with_the_scope_and_the_transition_revokes(strict: Served, control_plane: ControlPlane, scope: str) -> None:
    text = control_token(strict, control_plane, scope)
    answer = strict.cst(text).post("/v1/tokens/revoke", {"token": token(strict)})
    if scope == "control:token:revoke":
        assert answer.ok()["status"] == "revoked"
    else:
        # The scope is one the route takes; the transition token.revoke is not open to it.
        assert answer.refusal == (403, "TOKEN_CONTROL_TRANSITION_FORBIDDEN")


def test_control_token_may_revoke_itself(strict: Served, control_plane: ControlPlane) -> None:
    text = control_token(strict, control_plane, "control:token:revoke")
    assert strict.cst(text).post("/v1/tokens/revoke", {"token": text}).ok()["status"] == "revoked"
    assert strict.cst(text).post("/v1/tokens/revoke", {"token": text}).refusal == (401, "TOKEN_REVOKED")


def test_organisation_reaches_its_own_tokens_only(tiered: Served, control_plane: ControlPlane, api_tokens: Any) -> None:
    caller = api_tokens.add(unique("ats"), "tokens:issue", org_id="org_a", name="atk_a", cst_scopes=("control:*", "proxy:*"))
    chain = control_plane.chain()
    members = {**chain.members, "aud": ISSUER, "scope": ["control:token:revoke"]}
    control = tiered.bearing(caller).post("/v1/tokens/issue/canonical", members).ok()["token"]
    foreign = legacy(tiered).ok()
    for target in ({"token": foreign["token"]}, {"token_hash": foreign["token_hash"]}, {"jti": foreign["jti"]}, {"token_hash": "0" * 64}):
        assert tiered.cst(control).post("/v1/tokens/revoke", target).refusal == (403, "REVOKE_NOT_ALLOWED")
    own = tiered.bearing(caller).post("/v1/tokens/issue", {"sub": "sa:x", "aud": "a", "scope": ["proxy:call"]}).ok()["token"]
    assert tiered.cst(control).post("/v1/tokens/revoke", {"token": own}).ok()["status"] == "revoked"
    assert introspect(tiered, foreign["token"]).ok()["active"] is True
