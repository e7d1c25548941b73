"""`kill -9` and a failing disk: nothing acknowledged is lost, nothing unacknowledged is pretended (tokens.md §14)."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.processes import Process

LAUNCHER = Path(__file__).with_name("failing_disk.py")


class Load:
    """Clients that issue and revoke until the server goes, and remember what was acknowledged."""

    def __init__(self, process: Process, clients: int = 4) -> None:
        self.revoked: list[tuple[str, int]] = []
        self.issued: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=(process,)) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, revocations: int) -> None:
        """Return once that many revocations were acknowledged."""
        deadline = time.monotonic() + 60
        while len(self.revoked) < revocations:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def join(self) -> None:
        """Wait for every client to have noticed."""
        for thread in self._threads:
            thread.join(30)

    def _run(self, process: Process) -> None:
        try:
            while True:
                token = process.issue()["token"]
                self.issued.append(token)
                self.revoked.append((token, process.revoke(token)["sequence"]))
        except (OSError, http.client.HTTPException):
            return


def crash_rounds(start: Start, rounds: int, revocations: int, **environ: str) -> int:
    """Kill the server under load, start it again, and check every acknowledgement; how many there were."""
    every: list[tuple[str, int]] = []
    for _ in range(rounds):
        process = start(**environ)
        load = Load(process)
        load.wait_for(revocations)
        process.kill()
        load.join()
        every += load.revoked
        again = start(**environ)
        assert not any(again.is_active(token) for token, _ in load.revoked)
        unacknowledged = set(load.issued) - {token for token, _ in load.revoked}
        # A token whose revocation was not acknowledged may be either, but it is known.
        assert all(again.call("POST", "/v1/tokens/introspect", {"token": token})[0] == 200 for token in unacknowledged)
        page = again.call("GET", "/v1/revocations/stream?limit=1")[1]
        assert page["latest_sequence"] >= max(sequence for _, sequence in every)
        again.stop()
    assert len({sequence for _, sequence in every}) == len(every)
    return len(every)


def test_kill_nine_under_load_loses_nothing_acknowledged_on_sqlite(start: Start) -> None:
    assert crash_rounds(start, 2, 60) >= 120


def test_kill_nine_under_load_loses_nothing_acknowledged_on_postgres(start: Start, postgres_database: str) -> None:
    assert crash_rounds(start, 1, 60, CLAWSCOPE_DB_URL=postgres_database) >= 60


@pytest.mark.soak
def test_fifty_kills_and_twenty_thousand_revocations(start: Start) -> None:
    assert crash_rounds(start, 50, 420) >= 20_000


def test_a_disk_that_does_not_sync_acknowledges_nothing(start: Start) -> None:
    server = start(launcher=LAUNCHER)
    before = server.issue()["token"]
    kept = server.issue()["token"]
    server.revoke(before)
    server.process.send_signal(signal.SIGUSR1)
    refusals = [server.call("POST", "/v1/tokens/issue", {"sub": "sa:a", "aud": "x", "scope": ["proxy:call"]}) for _ in range(5)]
    assert [(status, body["error"]) for status, body in refusals] == [(503, "STORE_UNAVAILABLE")] * 5
    status, refused = server.call("POST", "/v1/tokens/revoke", {"token": kept})
    assert (status, refused["error"]) == (503, "STORE_UNAVAILABLE")
    server.kill()
    again = start()
    assert not again.is_active(before)
    assert again.call("POST", "/v1/tokens/introspect", {"token": kept})[0] == 200


def test_the_chain_of_key_snapshots_survives_a_kill(start: Start) -> None:
    process = start()
    for _ in range(3):
        process.call("POST", "/v1/keys/prepare", {"reason": "test"})
        process.kill()
        process = start()
    status, history = process.call("GET", "/v1/keys/transparency/history?since=0&limit=100")
    assert status == 200
    snapshots = history["snapshots"]
    assert [one["sequence"] for one in snapshots] == list(range(1, len(snapshots) + 1))
    assert all(later["prev_entry_hash_b64u"] == former["entry_hash_b64u"] for former, later in pairwise(snapshots))
    assert len({one["active_kid"] for one in snapshots}) == 1
