"""A key withdrawn in an emergency: refused at once everywhere, replaced at once, told in feed and log (keys.md §5)."""

from __future__ import annotations

import json

from tests.http.keys.conftest import OpenDesk
from tests.http.keys.desk import CONTRACT, DELAY_S, JWKS, LATEST, OVERLAP_S, SKEW_S, Desk
from tests.http.tokens import claims

STREAM = "/v1/revocations/stream"


def test_answer_is_exactly_what_the_contract_says(desk: Desk) -> None:
    kid = desk.active()
    for _ in range(3):
        desk.issue()
    desk.issue(ttl_sec=1)
    desk.move(1)
    answer = desk.act(kid, "revoke", "stolen")
    body = answer.ok()
    assert body == {"status": "revoked", "kid": kid, "sequence": 1, "replacement_kid": desk.active(), "live_tokens_killed": 3,
                    "effective_within_s": 2}  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"
    assert desk.states() == {kid: "revoked", body["replacement_kid"]: "active"}
    desk.check()


def test_every_token_of_the_kid_is_refused_whatever_its_iat(desk: Desk) -> None:
    kid, now = desk.active(), desk.clock.now()
    tokens = [desk.issue()["token"]]
    # A thief holds the key and may write any time into a token.
    times = (now - 3000, now, now + 30)
    tokens += [desk.served.sign(json.dumps(claims(desk.served, iat=iat, exp=now + 500)).encode()) for iat in times]
    assert [desk.verdict(one) for one in tokens] == ["active"] * 4
    thief = desk.served.signer
    desk.act(kid, "revoke", "stolen").ok()
    assert [desk.verdict(one) for one in tokens] == ["TOKEN_KID_EXPIRED"] * 4
    assert thief[0] == kid
    assert desk.verdict(desk.issue()["token"]) == "active"


def test_the_kid_leaves_jwks_and_contract_and_stays_named_as_revoked(desk: Desk) -> None:
    kid = desk.active()
    replacement = desk.act(kid, "revoke", "stolen").ok()["replacement_kid"]
    assert desk.listed() == [replacement]
    contract = desk.see(CONTRACT)
    assert (contract["accepted_kids"], contract["revoked_kids"], contract["expiring_kids"]) == ([replacement], [kid], [])
    assert kid not in json.dumps(desk.see("/.well-known/did.json"))
    assert desk.see("/v1/did")["kid"] == replacement


def test_the_feed_gets_a_key_row_in_the_common_sequence(desk: Desk) -> None:
    kid = desk.active()
    before = desk.issue()
    first = desk.post("/v1/tokens/revoke", {"token": before["token"]}).ok()["sequence"]
    sequence = desk.act(kid, "revoke", "stolen").ok()["sequence"]
    then = desk.post("/v1/tokens/revoke", {"token_hash": "ab" * 32}).ok()["sequence"]
    assert [first, sequence, then] == [1, 2, 3]
    rows = desk.served.operator.get(STREAM, since=1, limit=1).ok()["events"]
    record = rows[0]["record"]
    assert rows[0]["sequence"] == record["sequence"] == 2
    assert {"kind": "key", "kid": kid, "revoked_at": desk.clock.now(), "reason": "stolen"}.items() <= record.items()
    snapshot = desk.served.operator.get("/v1/revocations/snapshot").ok()
    assert (snapshot["revoked_kids"], snapshot["as_of_sequence"]) == ([kid], 3)


def test_a_repeat_is_already_revoked_and_tells_the_first_sequence(desk: Desk) -> None:
    kid = desk.active()
    first = desk.act(kid, "revoke", "stolen").ok()
    snapshot = desk.see(LATEST)
    again = desk.act(kid, "revoke", "once more").ok()
    assert (again["status"], again["kid"], again["sequence"], again["live_tokens_killed"]) == ("already_revoked", kid, first["sequence"], 0)
    assert desk.see(LATEST) == snapshot
    assert len(desk.events("key_revoked")) == 1
    assert desk.keys()[kid]["reason"] == "stolen"


def test_a_prepared_key_takes_over_even_before_its_delay_and_that_is_said(desk: Desk) -> None:
    kid, first = desk.active(), desk.prepare()
    desk.move(1)
    second = desk.prepare()
    assert desk.act(kid, "revoke", "stolen").ok()["replacement_kid"] == first
    assert desk.states() == {kid: "revoked", first: "active", second: "prepared"}
    (event,) = (one for one in desk.events("key_activated") if one["kid"] == first)
    assert event["delay_waived"] is True
    assert desk.see(LATEST)["reason"] == "revoked"
    desk.check()


def test_a_prepared_key_that_has_waited_takes_over_without_a_waiver(desk: Desk) -> None:
    kid, waiting = desk.active(), desk.prepare()
    desk.move(DELAY_S)
    assert desk.act(kid, "revoke", "stolen").ok()["replacement_kid"] == waiting
    (event,) = (one for one in desk.events("key_activated") if one["kid"] == waiting)
    assert "delay_waived" not in event


def test_without_a_prepared_key_a_new_one_signs_at_once(desk: Desk) -> None:
    kid = desk.active()
    replacement = desk.act(kid, "revoke", "stolen").ok()["replacement_kid"]
    token = desk.issue()
    assert (token["kid"], desk.verdict(token["token"])) == (replacement, "active")
    (event,) = (one for one in desk.events("key_activated") if one["kid"] == replacement)
    assert event["delay_waived"] is True


def test_any_state_but_retired_can_be_revoked(desk: Desk) -> None:
    _, former = desk.changed()
    prepared, abandoned = desk.prepare(), desk.prepare()
    active = desk.active()
    for kid in (former, prepared):
        assert "replacement_kid" not in desk.act(kid, "revoke").ok()
    desk.act(abandoned, "retire").ok()
    assert desk.act(abandoned, "revoke").refusal == (409, "KEY_STATE_CONFLICT")
    assert desk.active() == active
    assert sorted(desk.see(CONTRACT)["revoked_kids"]) == sorted([former, prepared])
    desk.pass_time(OVERLAP_S + 2 * SKEW_S + 1)
    assert desk.states()[former] == "revoked"
    desk.check()


def test_a_revoked_kid_never_comes_back(desk: Desk) -> None:
    kid = desk.active()
    x = desk.keys()[kid]["x"]
    desk.act(kid, "revoke", "stolen").ok()
    body = {"x": x, "not_after_unix": desk.clock.now() + 9, "reason": "x"}
    assert desk.post("/v1/keys/import", body).refusal == (409, "KID_TAKEN")
    assert desk.post("/v1/keys/prepare", {"reason": "x", "kid": kid}).refusal == (409, "KID_TAKEN")
    for verb in ("activate", "retire"):
        assert desk.act(kid, verb).refusal == (409, "KEY_STATE_CONFLICT")


def test_revoking_during_a_rotation_ends_it_well(desk: Desk) -> None:
    former = desk.active()
    kid = desk.rotate().ok(202)["prepared_kid"]
    assert desk.act(former, "revoke", "stolen").ok()["replacement_kid"] == kid
    desk.pass_time(DELAY_S)
    assert desk.states() == {former: "revoked", kid: "active"}
    assert desk.rotate().status == 202
    desk.check()


def test_a_revoked_statement_key_hands_the_log_to_its_successor(desk: Desk) -> None:
    desk.prepare()
    former, token_kid = desk.active("statement"), desk.active()
    before = desk.see(LATEST)
    body = desk.act(former, "revoke", "stolen").ok()
    successor = body["replacement_kid"]
    assert desk.states("statement") == {former: "revoked", successor: "active"}
    entry = desk.see(LATEST)
    assert (entry["reason"], entry["statement_kid"], entry["signer_kid"]) == ("statement_kid_changed", successor, token_kid)
    assert (entry["sequence"], entry["prev_entry_hash_b64u"]) == (before["sequence"] + 1, before["entry_hash_b64u"])
    assert before["statement_kid"] == former
    assert (desk.listed()[0], desk.issue()["kid"]) == (token_kid, token_kid)
    desk.check()


def test_a_change_of_both_keys_keeps_the_chain(desk: Desk) -> None:
    desk.act(desk.active(), "revoke", "stolen").ok()
    desk.act(desk.active("statement"), "revoke", "stolen").ok()
    desk.act(desk.active(), "revoke", "again").ok()
    assert [one["reason"] for one in desk.history()] == ["boot", "revoked", "statement_kid_changed", "revoked"]
    desk.check()


def test_a_wrong_master_key_stops_signing_but_not_verification(open_desk: OpenDesk) -> None:
    desk = open_desk()
    kid, token = desk.active(), desk.issue(ttl_sec=3600)["token"]
    jwks = desk.see(JWKS)
    desk.served.stop()
    wrong = open_desk({"keys.master_key": "d3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZ3dyb25nd3I"}, clock=desk.clock, data=desk.served.data)
    for path, body in (("/v1/tokens/issue", {"sub": "sa:a", "aud": "x", "scope": ["proxy:call"]}), ("/v1/keys/prepare", {"reason": "x"})):
        refused = wrong.post(path, body)
        assert refused.refusal == (503, "SIGNING_CONFIG_INVALID")
        assert int(refused.headers["retry-after"]) <= 2
    assert wrong.verdict(token) == "active"
    assert wrong.see(JWKS) == jwks
    assert wrong.states() == {kid: "active"}
    assert wrong.post("/v1/tokens/revoke", {"token": token}).ok()["status"] == "revoked"
    assert wrong.verdict(token) == "revoked"
    assert wrong.served.anyone.get("/ready").status == 503
    wrong.served.stop()
    right = open_desk(clock=desk.clock, data=desk.served.data)
    assert right.issue()["kid"] == kid
    right.check()
