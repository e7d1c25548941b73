"""The life of a managed key over HTTP: prepared, active, verify-only, retired; each move at its time (keys.md §1, §3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.keys.conftest import OpenDesk
from tests.http.keys.desk import CONTRACT, DELAY_S, LATEST, OVERLAP_S, SKEW_S, Desk, kid_of, x_of
from tests.http.tokens import legacy

LISTED = {"kid", "purpose", "state", "x", "published_at", "activatable_at", "reason"}


def test_a_prepared_key_verifies_and_is_listed_but_does_not_sign(desk: Desk) -> None:
    active, now = desk.active(), desk.clock.now()
    answer = desk.post("/v1/keys/prepare", {"reason": "  planned  "})
    kid = answer.ok(201)["kid"]
    assert answer.json == {"kid": kid, "state": "prepared", "published_at": now, "activatable_at": now + DELAY_S}
    assert answer.headers["cache-control"] == "no-store"
    shown = desk.keys()[kid]
    assert shown.keys() == LISTED
    assert shown["reason"] == "planned"
    contract = desk.see(CONTRACT)
    assert (contract["active_kid"], contract["accepted_kids"], contract["signing_kids"]) == (active, [active, kid], [active])
    assert contract["prepared_kids"] == [{"kid": kid, "activates_at_unix": now + DELAY_S}]
    assert desk.issue()["kid"] == active
    assert desk.see(LATEST)["reason"] == "prepared"
    desk.check()


def test_a_key_signs_once_it_was_published_for_the_delay_and_not_a_second_before(desk: Desk) -> None:
    kid, former = desk.prepare(), desk.active()
    for left_s in (DELAY_S, 1):
        early = desk.act(kid, "activate")
        assert early.refusal == (409, "KEY_NOT_READY")
        assert early.headers["retry-after"] == str(left_s)
        desk.move(left_s - 1 if left_s > 1 else 0)
    desk.move(1)
    now = desk.clock.now()
    cut_off = now + OVERLAP_S + 2 * SKEW_S
    assert desk.act(kid, "activate").ok() == {"active_kid": kid, "former_kid": former, "not_after_unix": cut_off}
    assert desk.states() == {kid: "active", former: "verify_only"}
    assert desk.keys()[kid]["activated_at"] == now
    assert desk.issue()["kid"] == kid
    assert desk.see(CONTRACT)["expiring_kids"] == [{"kid": former, "not_after_unix": cut_off}]
    desk.check()


def test_the_former_key_outlives_its_last_token(open_desk: OpenDesk) -> None:
    desk = open_desk({"max_ttl_s": 86_400})
    kid = desk.prepare()
    desk.move(DELAY_S)
    issued = desk.issue(ttl_sec=20_000)
    cut_off = desk.act(kid, "activate").ok()["not_after_unix"]
    assert cut_off == issued["exp"] + 2 * SKEW_S
    desk.move(issued["exp"] + SKEW_S - 1 - desk.clock.now())
    desk.work()
    assert desk.verdict(issued["token"]) == "active"
    desk.move(1)
    assert desk.verdict(issued["token"]) == "TOKEN_EXPIRED"
    desk.check()


def test_a_verify_only_key_is_gone_the_second_after_its_cut_off(desk: Desk) -> None:
    token = desk.issue(ttl_sec=3600)["token"]
    kid, former = desk.changed()
    desk.move(OVERLAP_S + 2 * SKEW_S)
    assert desk.listed() == [kid, former]
    assert desk.verdict(token) == "TOKEN_EXPIRED"
    desk.move(1)
    assert desk.listed() == [kid]
    assert desk.see(CONTRACT)["verify_only_kids"] == desk.see(CONTRACT)["expiring_kids"] == []
    assert desk.verdict(token) == "TOKEN_KID_EXPIRED"
    desk.work()
    assert desk.states()[former] == "retired"
    assert desk.verdict(token) == "TOKEN_KID_EXPIRED"
    desk.check()


def test_only_a_kid_that_was_never_ours_is_unknown(desk: Desk) -> None:
    kid = desk.prepare()
    token = desk.issue()["token"]
    foreign = desk.served.sign(b'{"token_version":"1"}', b'{"alg":"EdDSA","typ":"JWT","kid":"never"}')
    assert desk.verdict(foreign) == "TOKEN_UNKNOWN_KID"
    desk.act(kid, "retire").ok()
    abandoned = desk.served.sign(b'{"token_version":"1"}', f'{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}'.encode())
    assert desk.verdict(abandoned) == "TOKEN_KID_EXPIRED"
    assert desk.verdict(token) == "active"
    desk.check()


def test_a_prepared_key_may_be_abandoned_and_never_comes_back(desk: Desk) -> None:
    kid = desk.prepare(kid="mine")
    assert desk.act(kid, "retire").ok() == {"kid": "mine", "state": "retired"}
    assert desk.listed() == [desk.active()]
    desk.move(DELAY_S)
    for verb in ("activate", "retire", "revoke"):
        assert desk.act(kid, verb).refusal == (409, "KEY_STATE_CONFLICT")
    assert desk.post("/v1/keys/prepare", {"reason": "again", "kid": "mine"}).refusal == (409, "KID_TAKEN")
    assert desk.keys()["mine"]["state"] == "retired"
    desk.check()


def test_retiring_waits_for_the_cut_off(desk: Desk) -> None:
    _, former = desk.changed()
    answer = desk.act(former, "retire")
    assert answer.refusal == (409, "KEY_STILL_NEEDED")
    desk.move(OVERLAP_S + 2 * SKEW_S)
    assert desk.act(former, "retire").refusal == (409, "KEY_STILL_NEEDED")
    desk.move(1)
    assert desk.act(former, "retire").ok() == {"kid": former, "state": "retired"}
    assert desk.act(desk.active(), "retire").refusal == (409, "KEY_STATE_CONFLICT")
    desk.check()


def test_a_rotation_by_hand_goes_by_itself_from_there(desk: Desk) -> None:
    former, now = desk.active(), desk.clock.now()
    answer = desk.rotate()
    kid = answer.ok(202)["prepared_kid"]
    activates = now + DELAY_S
    assert answer.json == {"prepared_kid": kid, "activates_at_unix": activates, "retiring_kid": former,
                           "not_after_unix": activates + OVERLAP_S + 2 * SKEW_S}  # fmt: skip
    assert desk.rotate().refusal == (409, "KEY_ROTATION_IN_PROGRESS")
    desk.pass_time(DELAY_S - 1)
    assert desk.active() == former
    desk.pass_time(1)
    desk.work()
    assert desk.states() == {kid: "active", former: "verify_only"}
    assert desk.rotate().status == 202
    desk.check()


def test_managed_keys_rotate_by_themselves_prepared_ahead(open_desk: OpenDesk) -> None:
    desk = open_desk({"keys.rotate_every_s": 10_000})
    first = desk.active()
    desk.pass_time(10_000 - DELAY_S - 60 - 1)
    assert list(desk.states()) == [first]
    desk.pass_time(1)
    desk.work()
    (prepared,) = (kid for kid, state in desk.states().items() if state == "prepared")
    desk.pass_time(DELAY_S)
    assert desk.states() == {prepared: "active", first: "verify_only"}
    desk.check()


def test_other_purposes_rotate_by_the_same_rules_and_stay_out_of_jwks(desk: Desk) -> None:
    former, listed = desk.active("statement"), desk.listed()
    kid = desk.rotate(purpose="statement").ok(202)["prepared_kid"]
    desk.pass_time(DELAY_S)
    assert desk.states("statement") == {kid: "active", former: "verify_only"}
    assert desk.listed() == listed
    latest = desk.see(LATEST)
    assert (latest["reason"], latest["statement_kid"]) == ("statement_kid_changed", kid)
    desk.check()


def test_a_former_key_is_imported_until_its_cut_off(desk: Desk) -> None:
    cut_off = desk.clock.now() + 100
    body = {"x": x_of("former"), "not_after_unix": cut_off, "reason": "former system"}
    assert desk.post("/v1/keys/import", body).ok(201) == {"kid": kid_of("former"), "state": "verify_only", "not_after_unix": cut_off}
    assert desk.listed() == [desk.active(), kid_of("former")]
    assert desk.post("/v1/keys/import", body).refusal == (409, "KID_TAKEN")
    assert desk.post("/v1/keys/import", body | {"x": x_of("other"), "kid": kid_of("former")}).refusal == (409, "KID_TAKEN")
    assert desk.post("/v1/keys/import", body | {"x": x_of("late"), "not_after_unix": cut_off - 100}).refusal == (400, "INVALID_REQUEST")
    desk.pass_time(101)
    assert desk.states()[kid_of("former")] == "retired"
    desk.check()


@pytest.mark.parametrize("verb", ["prepare", "rotate", "activate", "retire", "revoke"])
def test_a_dry_run_shows_the_plan_and_changes_nothing(desk: Desk, verb: str) -> None:
    former, kid, now = desk.active(), desk.prepare(), desk.clock.now()
    desk.move(DELAY_S)
    desk.issue()
    before = (desk.keys(), desk.see(LATEST), len(desk.events()))
    paths = {"prepare": "prepare", "rotate": "rotate", "revoke": f"{former}/revoke"}
    plan = desk.post(f"/v1/keys/{paths.get(verb, f'{kid}/{verb}')}?dry_run=true", {"reason": "look"}).ok()
    assert plan["dry_run"] is True
    at, cut_off = now + DELAY_S, now + DELAY_S + OVERLAP_S + 2 * SKEW_S
    steps = [(one.get("kid"), one.get("from_state"), one["to_state"]) for one in plan["moves"]]
    expected: dict[str, list[Any]] = {
        "prepare": [(None, None, "prepared")],
        "activate": [(former, "active", "verify_only"), (kid, "prepared", "active")],
        "retire": [(kid, "prepared", "retired")],
        "revoke": [(former, "active", "revoked"), (kid, "prepared", "active")],
    }
    if verb in expected:
        assert steps == expected[verb]
    if verb == "activate":
        assert plan["moves"][0]["not_after_unix"] == cut_off
    if verb == "prepare":
        assert plan["moves"][0]["at"] == at + DELAY_S
    if verb == "revoke":
        assert plan["live_tokens"] == 1
    assert (desk.keys(), desk.see(LATEST), len(desk.events())) == before


def test_an_idempotency_key_makes_one_key(desk: Desk) -> None:
    answers = [desk.post("/v1/keys/prepare", {"reason": "once"}, Idempotency_Key="k1") for _ in range(2)]
    assert answers[0].ok(201) == answers[1].ok(201)
    assert list(desk.states().values()).count("prepared") == 1


def test_a_token_issued_just_before_the_move_and_one_just_after_both_live(desk: Desk) -> None:
    kid = desk.prepare()
    desk.move(DELAY_S)
    before = legacy(desk.served, ttl_sec=3600).ok()
    desk.act(kid, "activate").ok()
    after = legacy(desk.served, ttl_sec=3600).ok()
    assert (before["kid"] != kid, after["kid"]) == (True, kid)
    desk.pass_time(3600 + SKEW_S - 1)
    assert [desk.verdict(one["token"]) for one in (before, after)] == ["active", "active"]
