"""The key log: linked, signed snapshots of every change, read by anybody, appended by moves, a job or on demand (keys.md §6)."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from typing import Any

import pytest

from clawscope.protocol import b64u
from clawscope.protocol.jcs import canonical
from clawscope.protocol.keys import verify
from tests.http.client import Answer
from tests.http.keys.conftest import OpenDesk
from tests.http.keys.desk import CONTRACT, DELAY_S, HISTORY, JWKS, LATEST, OVERLAP_S, SKEW_S, Desk

MEMBERS = [
    "snapshot_version", "generated_at", "generated_at_iso", "active_kid", "accepted_kids", "signing_kids", "verify_only_kids",
    "expiring_kids", "overlap_seconds", "snapshot_id", "snapshot_hash_b64u", "signer_kid", "signature_b64u", "sequence", "reason",
    "prev_entry_hash_b64u", "prepared_kids", "revoked_kids", "statement_kid", "entry_hash_b64u", "entry_signature_b64u",
]  # fmt: skip
REFRESH_S = 300


def history(desk: Desk, **query: Any) -> Answer:
    """A page of the key log."""
    return desk.served.operator.get(HISTORY, **query)


def snapshot(desk: Desk, **headers: str) -> Answer:
    """Ask for a snapshot: an empty body."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return desk.served.operator.call("POST", "/v1/keys/transparency/snapshot", headers=names)


@pytest.fixture(scope="module")
def long(open_desk: OpenDesk) -> Desk:
    """A desk with 25 entries."""
    desk = open_desk()
    for _ in range(24):
        snapshot(desk).ok()
    return desk


def test_an_entry_is_hashed_and_signed_as_the_contract_says(desk: Desk) -> None:
    desk.changed()
    entry = desk.see(LATEST)
    assert list(entry) == MEMBERS
    wire = json.dumps({name: entry[name] for name in MEMBERS[:9]}, separators=(",", ":"), ensure_ascii=False).encode()
    assert entry["snapshot_hash_b64u"] == b64u.encode(hashlib.sha256(wire).digest())
    token_key = b64u.decode(desk.keys()[entry["signer_kid"]]["x"])
    assert verify(token_key, wire, b64u.decode(entry["signature_b64u"]))
    text = b"clawscope/key-snapshot/v1\n" + canonical({name: entry[name] for name in MEMBERS[:-2]})
    assert entry["entry_hash_b64u"] == b64u.encode(hashlib.sha256(text).digest())
    statement_key = b64u.decode(desk.keys("statement")[entry["statement_kid"]]["x"])
    assert verify(statement_key, text, b64u.decode(entry["entry_signature_b64u"]))
    assert entry["snapshot_id"] == f"kts_{entry['generated_at']}_{entry['active_kid']}_{entry['sequence']}"
    assert entry["signer_kid"] == entry["active_kid"]
    assert entry["generated_at_iso"] == "2027-01-15T08:10:00.000Z"


def test_every_change_appends_one_linked_entry_with_its_reason(desk: Desk) -> None:
    kid, former = desk.changed()
    desk.act(desk.prepare(), "retire").ok()
    snapshot(desk).ok()
    desk.pass_time(REFRESH_S)
    desk.pass_time(OVERLAP_S + 2 * SKEW_S + 1 - REFRESH_S)
    desk.act(kid, "revoke").ok()
    entries = desk.history()
    reasons = ["boot", "prepared", "activated", "prepared", "retired", "manual", "refresh", "retired", "revoked"]
    assert [one["reason"] for one in entries] == reasons
    assert [one["sequence"] for one in entries] == list(range(1, len(reasons) + 1))
    assert entries[0]["prev_entry_hash_b64u"] == "A" * 43
    assert all(later["prev_entry_hash_b64u"] == one["entry_hash_b64u"] for one, later in pairwise(entries))
    assert entries[-1]["revoked_kids"] == [kid]
    assert former not in entries[-1]["accepted_kids"]
    assert [one["sequence"] for one in desk.events("key_snapshot_published")] == [one["sequence"] for one in entries]
    desk.check()


def test_a_change_of_both_kinds_in_one_second_makes_entries_of_their_own(desk: Desk) -> None:
    for _ in range(3):
        snapshot(desk).ok()
    ids = [one["snapshot_id"] for one in desk.history()]
    assert len(set(ids)) == 4
    assert all(name.endswith(f"_{at}") for at, name in enumerate(ids, 1))


def test_history_pages_newest_first(long: Desk) -> None:
    first = history(long).ok()
    assert list(first) == ["snapshots", "cursor", "list_complete"]
    assert [one["sequence"] for one in first["snapshots"]] == list(range(25, 5, -1))
    assert first["list_complete"] is False
    rest = history(long, cursor=first["cursor"]).ok()
    assert [one["sequence"] for one in rest["snapshots"]] == [5, 4, 3, 2, 1]
    assert (rest["cursor"], rest["list_complete"]) == (None, True)


def test_history_ascends_above_since(long: Desk) -> None:
    page = history(long, since=20, limit=3).ok()
    assert [one["sequence"] for one in page["snapshots"]] == [21, 22, 23]
    assert page["list_complete"] is False
    last = history(long, since=23, limit=3).ok()
    assert ([one["sequence"] for one in last["snapshots"]], last["list_complete"]) == ([24, 25], True)
    assert history(long, since=25).ok()["snapshots"] == []
    assert history(long, since=10**9).ok()["snapshots"] == []


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (0, 1), (-5, 1), (100, 25), (101, 25), (10**9, 25)])
def test_page_size_is_clamped(long: Desk, limit: int, count: int) -> None:
    assert len(history(long, limit=limit).ok()["snapshots"]) == count


def test_bad_queries_are_refused(long: Desk) -> None:
    cursor = history(long, limit=2).ok()["cursor"]
    for _ in range(2):
        long.issue()
    foreign = long.served.operator.get("/v1/audit/issuance", limit=1).ok()["cursor"]
    for bad in ("x", cursor[:-2], cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), "A" + cursor[:-1], foreign, "ä"):
        assert history(long, cursor=bad).refusal == (400, "INVALID_CURSOR")
    for query in ({"since": 1, "cursor": cursor}, {"since": -1}, {"since": "x"}, {"limit": "1.5"}, {"before": 3}):
        assert history(long, **query).refusal == (400, "INVALID_QUERY")


def test_latest_is_public_and_history_is_not(long: Desk) -> None:
    assert long.served.anyone.get(LATEST).headers["cache-control"] == "no-cache"
    assert long.served.anyone.get(LATEST).json == history(long, limit=1).ok()["snapshots"][0]
    assert long.served.anyone.get(HISTORY).refusal == (401, "TOKEN_REQUIRED")


def test_snapshot_on_demand(desk: Desk) -> None:
    before = desk.see(LATEST)
    answer = snapshot(desk).ok()
    assert list(answer) == ["status", "snapshot"]
    assert answer["status"] == "snapshot_created"
    assert (answer["snapshot"]["sequence"], answer["snapshot"]["reason"]) == (before["sequence"] + 1, "manual")
    assert desk.see(LATEST) == answer["snapshot"]
    assert desk.post("/v1/keys/transparency/snapshot", {"reason": "x"}).refusal == (400, "INVALID_REQUEST")
    once = [snapshot(desk, Idempotency_Key="k1").ok() for _ in range(2)]
    assert once[0] == once[1]
    desk.check()


def test_the_job_refreshes_an_old_log_and_only_that(desk: Desk) -> None:
    desk.pass_time(REFRESH_S - 1)
    assert desk.see(LATEST)["sequence"] == 1
    desk.pass_time(1)
    assert (desk.see(LATEST)["sequence"], desk.see(LATEST)["reason"]) == (2, "refresh")
    desk.work()
    assert desk.see(LATEST)["sequence"] == 2
    desk.check()


def test_log_time_never_falls_though_the_clock_does(desk: Desk) -> None:
    snapshot(desk).ok()
    desk.clock.move(-30)
    snapshot(desk).ok()
    times = [one["generated_at"] for one in desk.history()]
    assert times == sorted(times)
    desk.check()


def test_a_store_that_is_gone_is_said_so(desk: Desk) -> None:
    desk.break_table("issuer_key_snapshots")
    for answer in (history(desk), desk.served.anyone.get(LATEST)):
        assert answer.refusal == (503, "KEY_TRANSPARENCY_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) <= 2
        assert answer.headers["cache-control"] == "no-store"
    assert snapshot(desk).refusal[0] == 503
    desk.mend_table("issuer_key_snapshots")
    desk.break_table("sequences")
    assert desk.served.anyone.get(LATEST).refusal == (503, "KEY_TRANSPARENCY_UNAVAILABLE")
    desk.mend_table("sequences")
    desk.check()


def test_an_appended_snapshot_needs_the_store(desk: Desk) -> None:
    desk.break_table("issuer_key_snapshots")
    assert snapshot(desk).refusal == (503, "KEY_TRANSPARENCY_UNAVAILABLE")


@pytest.mark.parametrize("rounds", [12])
def test_latest_never_disagrees_with_jwks_or_contract_just_after_a_change(desk: Desk, rounds: int) -> None:
    for turn in range(rounds):
        if turn % 3 == 2:
            desk.act(desk.active(), "revoke").ok()
        else:
            desk.prepare()
        answers = [desk.served.anyone.get(path) for path in (LATEST, CONTRACT, JWKS)]
        latest, contract, jwks = (one.ok() for one in answers)
        assert latest["accepted_kids"] == contract["accepted_kids"] == [one["kid"] for one in jwks["keys"]]
        assert latest["active_kid"] == contract["active_kid"] == desk.issue()["kid"]
        assert {one.headers["x-keyset-sequence"] for one in answers} == {str(latest["sequence"])} == {str(turn + 2)}


def test_where_only_time_has_passed_latest_itself_says_which_kid_is_over(desk: Desk) -> None:
    _, former = desk.changed()
    desk.move(OVERLAP_S + 2 * SKEW_S + 1)
    latest, listed = desk.see(LATEST), desk.listed()
    over = [one["kid"] for one in latest["expiring_kids"] if one["not_after_unix"] < desk.clock.now()]
    assert over == [former]
    assert [kid for kid in latest["accepted_kids"] if kid not in over] == desk.see(CONTRACT)["accepted_kids"] == listed
    desk.work()
    desk.check()


def test_a_whole_life_verifies_from_first_to_last(desk: Desk) -> None:
    desk.changed()
    desk.rotate(purpose="statement").ok(202)
    desk.pass_time(DELAY_S)
    desk.changed()
    desk.act(desk.active(), "revoke").ok()
    desk.pass_time(86_400)
    report = desk.log_report()
    assert (report.intact, report.checked, report.last_hash) == (True, len(desk.history()), desk.see(LATEST)["entry_hash_b64u"])
