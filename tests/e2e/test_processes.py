"""One store, several processes: a revocation acknowledged by one is passed by none (tokens.md §4.4)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.e2e.conftest import Start, new_database
from tests.e2e.processes import Process

ROUNDS = 12


@pytest.fixture(scope="module", params=["sqlite", "postgres", "postgres+bell"])
def pair(request: pytest.FixtureRequest, start_for_all: Start) -> list[Process]:
    """Two processes on one SQLite file, or on PostgreSQL with or without a bell."""
    environ: dict[str, str] = {}
    if request.param != "sqlite":
        environ["CLAWSCOPE_DB_URL"] = new_database(request.getfixturevalue("postgres_server"))
    if request.param == "postgres+bell":
        environ["CLAWSCOPE_BELL_URL"] = request.getfixturevalue("valkey_url")
    return [start_for_all(request.param, **environ), start_for_all(request.param, **environ)]


def keep_answer(process: Process, token: str, answers: list[dict[str, Any]]) -> None:
    """Revoke and keep what was answered."""
    answers.append(process.revoke(token))


def latest(process: Process) -> int:
    """The last sequence of the feed."""
    return int(process.call("GET", "/v1/revocations/stream?limit=1")[1]["latest_sequence"])


def test_what_one_process_issues_and_revokes_the_other_knows_at_once(pair: list[Process]) -> None:
    one, other = pair
    for _ in range(ROUNDS):
        token = one.issue()["token"]
        assert other.is_active(token)
        one.revoke(token)
        assert not other.is_active(token)
        assert not one.is_active(token)
        one, other = other, one


def test_of_two_processes_that_revoke_one_token_one_is_first(pair: list[Process]) -> None:
    for _ in range(ROUNDS):
        token = pair[0].issue()["token"]
        answers: list[dict[str, Any]] = []
        threads = [threading.Thread(target=keep_answer, args=(process, token, answers)) for process in pair for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer["status"] for answer in answers) == ["already_revoked"] * 3 + ["revoked"]
        assert len({(answer["sequence"], answer["revoked_at"]) for answer in answers}) == 1


def test_a_cut_off_by_one_process_stops_issue_in_the_other(pair: list[Process]) -> None:
    one, other = pair
    token = other.issue(run_id="run_9")["token"]
    status, cut = one.call("POST", "/v1/revocations/cutoffs", {"dimension": "run_id", "value": "run_9", "reason": "test", "lock": True})
    assert (status, cut["live_tokens"]) == (200, 1)
    assert not other.is_active(token)
    status, refused = other.call("POST", "/v1/tokens/issue", {"sub": "sa:a", "aud": "x", "scope": ["proxy:call"], "run_id": "run_9"})
    assert (status, refused["error"]) == (403, "SUBJECT_CUT_OFF")
    assert one.call("DELETE", f"/v1/revocations/cutoffs/{cut['cutoff_id']}")[0] == 200
    fresh = other.issue(run_id="run_9")["token"]
    assert one.is_active(fresh)
    assert not one.is_active(token)


def test_a_key_revoked_in_one_process_is_refused_in_the_other(pair: list[Process]) -> None:
    one, other = pair
    issued = one.issue()
    status, revoked = one.call("POST", f"/v1/keys/{issued['kid']}/revoke", {"reason": "stolen"})
    assert (status, revoked["status"]) == (200, "revoked")
    status, answer = other.call("POST", "/v1/tokens/introspect", {"token": issued["token"]}, operator=False)
    assert (status, answer["error"]) == (401, "TOKEN_KID_EXPIRED")
    fresh = other.issue()
    assert fresh["kid"] == revoked["replacement_kid"]
    assert one.is_active(fresh["token"])


def test_sequences_of_two_busy_processes_have_no_gap_and_no_double(pair: list[Process]) -> None:
    def busy(process: Process) -> None:
        for _ in range(ROUNDS):
            process.revoke(process.issue()["token"])

    before = latest(pair[0])
    threads = [threading.Thread(target=busy, args=(process,)) for process in pair for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = pair[0].call("GET", f"/v1/revocations/stream?since={before}&limit=200")[1]
    assert [event["sequence"] for event in page["events"]] == list(range(before + 1, before + 4 * ROUNDS + 1))
    audit = pair[1].call("GET", "/v1/audit/issuance?limit=200")[1]
    sequences = [event["record"]["sequence"] for event in audit["events"]]
    assert sequences == list(range(sequences[0], 0, -1))[: len(sequences)]


def test_a_long_poll_in_the_other_process_wakes(pair: list[Process]) -> None:
    one, other = pair
    token = one.issue()["token"]
    before = latest(one)
    seen: list[Any] = []
    waiting = threading.Thread(target=lambda: seen.append(other.call("GET", f"/v1/revocations/stream?since={before}&wait_s=20")[1]))
    waiting.start()
    one.revoke(token)
    waiting.join(20)
    assert [event["sequence"] for event in seen[0]["events"]] == [before + 1]


def test_workers_of_one_command_agree(start: Start) -> None:
    server = start(workers=2)
    tokens = [server.issue()["token"] for _ in range(6)]
    for token in tokens:
        server.revoke(token)
        assert not any(server.is_active(token) for _ in range(6))
