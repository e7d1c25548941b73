"""The revocation feed: pages, ascending reads, long poll, snapshot (tokens.md §4.3)."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from clawscope.protocol.revocation_snapshot import SnapshotRefused, open_snapshot, view_of
from clawscope.protocol.verify_token import KeyEntry, KeySet, Rules, Verified, verify
from tests.fakes.control_plane import ControlPlane
from tests.http.client import Client
from tests.http.serving import ISSUER, MakeServer, Served
from tests.http.tokens import CANONICAL, control_token, revoke, token, unique

STREAM, EVENTS = "/v1/revocations/stream", "/v1/revocations/events"


@pytest.fixture(scope="module")
def fed(make_server: MakeServer) -> Served:
    """A server with a feed of nine rows: seven tokens, a cut-off, a token."""
    served = make_server()
    for n in range(7):
        revoke(served, token=token(served), reason=f"r{n}").ok()
    served.operator.post("/v1/revocations/cutoffs", {"dimension": "run_id", "value": "run_x", "reason": "r7"}).ok()
    revoke(served, token=token(served), reason="r8").ok()
    return served


def sequences(page: Any) -> list[int]:
    """The sequences of a page."""
    return [event["record"]["sequence"] for event in page["events"]]


@pytest.mark.parametrize("path", [EVENTS, STREAM])
def test_pages_run_newest_first_and_end_complete(fed: Served, path: str) -> None:
    seen: list[int] = []
    page = fed.operator.get(path, limit=4).ok()
    while not page["list_complete"]:
        seen += sequences(page)
        page = fed.operator.get(path, limit=4, cursor=page["cursor"]).ok()
    assert page["cursor"] is None
    assert seen + sequences(page) == [9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_shapes_are_those_of_the_wire(fed: Served) -> None:
    assert set(fed.operator.get(EVENTS).ok()) == {"events", "cursor", "list_complete"}
    page = fed.operator.get(STREAM).ok()
    assert set(page) == {"stream_version", "events", "cursor", "list_complete", "latest_sequence"}
    assert (page["stream_version"], page["latest_sequence"]) == ("1", 9)
    for event in page["events"]:
        assert set(event) == {"sequence", "key", "record"}
        assert event["sequence"] == event["record"]["sequence"]
        assert event["key"].startswith("events:revocations:")
    assert [event["record"]["reason"] for event in page["events"]] == [f"r{n}" for n in range(8, -1, -1)]


def test_limit_is_clamped_and_must_be_a_number(fed: Served) -> None:
    assert len(fed.operator.get(EVENTS, limit=0).ok()["events"]) == 1
    assert len(fed.operator.get(EVENTS, limit=-5).ok()["events"]) == 1
    assert len(fed.operator.get(EVENTS, limit=100_000).ok()["events"]) == 9
    for bad in ({"limit": "x"}, {"limit": "1.5"}, {"unknown": 1}, {"Limit": 1}):
        assert fed.operator.get(EVENTS, **bad).refusal == (400, "INVALID_QUERY")
    assert fed.operator.call("GET", f"{EVENTS}?limit=1&limit=2").refusal == (400, "INVALID_QUERY")


def test_damaged_and_foreign_cursors_are_refused(fed: Served) -> None:
    cursor = fed.operator.get(EVENTS, limit=2).ok()["cursor"]
    flipped = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for path, text in (
        (EVENTS, flipped),
        (EVENTS, ""),
        (EVENTS, "x"),
        (EVENTS, cursor + "A"),
        (STREAM, cursor),
        ("/v1/audit/issuance", cursor),
    ):
        assert fed.operator.get(path, cursor=text).refusal == (400, "INVALID_CURSOR"), (path, text)


def test_fault_16_ascending_reads_go_on_with_the_last_sequence(fed: Served) -> None:
    seen: list[int] = []
    since = 0
    while True:
        page = fed.operator.get(STREAM, since=since, limit=2).ok()
        if not page["events"]:
            break
        seen += sequences(page)
        since = seen[-1]
    assert seen == list(range(1, 10))
    assert page["list_complete"] is True
    assert page["latest_sequence"] == 9


def test_since_beyond_the_feed_tells_to_take_a_snapshot(fed: Served) -> None:
    assert fed.operator.get(STREAM, since=9).ok()["events"] == []
    assert fed.operator.get(STREAM, since=10).refusal == (409, "REVOCATION_SEQUENCE_AHEAD")


def test_parameters_that_contradict_are_refused(fed: Served) -> None:
    cursor = fed.operator.get(STREAM, limit=2).ok()["cursor"]
    assert fed.operator.get(STREAM, since=1, cursor=cursor).refusal == (400, "INVALID_QUERY")
    for bad in ({"since": -1}, {"since": "x"}, {"since": 0, "wait_s": 26}, {"since": 0, "wait_s": -1}, {"since": 0, "wait_s": "1.5"}):
        assert fed.operator.get(STREAM, **bad).refusal == (400, "INVALID_QUERY"), bad


def test_long_poll_answers_at_the_next_commit(make_server: MakeServer) -> None:
    served = make_server()
    text = token(served)
    threading.Timer(0.15, lambda: revoke(served, token=text)).start()
    begun = time.monotonic()
    page = served.operator.get(STREAM, since=0, wait_s=20).ok()
    assert time.monotonic() - begun < 10
    assert sequences(page) == [1]
    assert served.operator.get(STREAM, since=1, wait_s=0).ok()["events"] == []


def reader(served: Served, plane: ControlPlane, *scope: str) -> Client:
    """A client with a control token."""
    return served.cst(control_token(served, plane, *scope))


def test_reader_without_the_audit_scope_sees_no_reasons(fed: Served, control_plane: ControlPlane) -> None:
    plain = reader(fed, control_plane, "control:revocations:read")
    auditor = reader(fed, control_plane, "control:audit:read")
    for path in (EVENTS, STREAM):
        for event in plain.get(path).ok()["events"]:
            assert not {"reason", "revoked_by"} & set(event["record"])
        for event in auditor.get(path).ok()["events"]:
            assert {"reason", "revoked_by"} <= set(event["record"])
    assert plain.get("/v1/audit/issuance").refusal == (403, "TOKEN_INSUFFICIENT_SCOPE")


def test_rows_beyond_reach_are_bare_on_the_stream_and_absent_elsewhere(
    tiered: Served, control_plane: ControlPlane, api_tokens: Any
) -> None:
    secret = api_tokens.add(unique("ats"), "tokens:issue", org_id=unique("org"), name=unique("atk"), cst_scopes=("control:*", "proxy:*"))
    caller = tiered.bearing(secret)
    members = {**control_plane.chain().members, "aud": ISSUER, "scope": ["control:audit:read", "control:token:revoke"]}
    control = tiered.cst(caller.post(CANONICAL, members).ok()["token"])
    foreign = revoke(tiered, token=token(tiered)).ok()["sequence"]
    own = caller.post("/v1/tokens/issue", {"sub": "sa:x", "aud": "a", "scope": ["proxy:call"]}).ok()["token"]
    mine = control.post("/v1/tokens/revoke", {"token": own}).ok()["sequence"]
    page = control.get(STREAM, since=foreign - 1).ok()
    rows = {event["sequence"]: event["record"] for event in page["events"]}
    assert rows[foreign] == {"kind": "other", "sequence": foreign}
    assert rows[mine]["kind"] == "token"
    assert sequences(control.get(EVENTS).ok()) == [mine]
    newest = {event["sequence"]: event["record"]["kind"] for event in control.get(STREAM).ok()["events"]}
    assert (newest[foreign], newest[mine]) == ("other", "token")


def test_snapshot_is_signed_and_hits_what_the_feed_hits(fed: Served) -> None:
    run = unique("run")
    dead, cut, alive = token(fed), token(fed, run_id=run), token(fed)
    revoke(fed, token=dead).ok()
    fed.operator.post("/v1/revocations/cutoffs", {"dimension": "run_id", "value": run, "reason": "x"}).ok()
    answer = fed.operator.get("/v1/revocations/snapshot")
    body = answer.ok()
    assert {
        "snapshot_version",
        "as_of_sequence",
        "generated_at",
        "valid_until",
        "tokens",
        "cutoffs",
        "revoked_kids",
        "signer_kid",
        "signature_b64u",
    } == set(body)
    assert body["valid_until"] - body["generated_at"] == 300
    snapshot = open_snapshot(answer.raw, fed.statement_keys[body["signer_kid"]], now=body["generated_at"])
    assert snapshot.as_of_sequence == fed.operator.get(STREAM).ok()["latest_sequence"]
    view = view_of(snapshot)
    kid, key = fed.signer
    keys = KeySet({kid: KeyEntry(key.public)})
    hits = []
    for text in (dead, cut, alive):
        verified = verify(text, keys, Rules(ISSUER), body["generated_at"])
        assert isinstance(verified, Verified)
        hits.append(view.hit(verified.claims, verified.token_hash) is not None)
    assert hits == [True, True, False]


def test_changed_or_older_snapshot_is_refused_by_the_verifier(fed: Served) -> None:
    answer = fed.operator.get("/v1/revocations/snapshot")
    body = answer.ok()
    public = fed.statement_keys[body["signer_kid"]]
    changed = json.dumps(body | {"tokens": []}).encode()
    for raw, seen, now, why in (
        (changed, 0, body["generated_at"], "signature"), (answer.raw, body["as_of_sequence"] + 1, body["generated_at"], "rollback"),
        (answer.raw, 0, body["valid_until"], "expired"), (answer.raw, 0, body["generated_at"] - 61, "future"),
    ):  # fmt: skip
        with pytest.raises(SnapshotRefused) as refused:
            open_snapshot(raw, public, now=now, seen_sequence=seen)
        assert refused.value.why == why


def test_fault_20_tailing_reader_misses_no_late_commit(dev: Served) -> None:
    start = dev.operator.get(STREAM).ok()["latest_sequence"]
    texts = [token(dev) for _ in range(40)]
    threads = [threading.Thread(target=lambda part=part: [revoke(dev, token=text) for text in part]) for part in (texts[:20], texts[20:])]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    deadline = time.monotonic() + 20
    while len(seen) < 40 and time.monotonic() < deadline:
        page = dev.operator.get(STREAM, since=seen[-1] if seen else start, wait_s=5).ok()
        seen += [event["sequence"] for event in page["events"] if event["record"]["kind"] == "token"]
    for thread in threads:
        thread.join()
    assert seen == list(range(seen[0], seen[0] + 40))
