"""Server-Sent Events: frames, heartbeats, resuming, ending (tokens.md §4.3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.control_plane import ControlPlane
from tests.http.events import EventStream
from tests.http.serving import MakeServer, Served
from tests.http.tokens import control_token, revoke, token


@pytest.fixture(scope="module")
def quick(make_server: MakeServer) -> Served:
    """A server with a heartbeat a second."""
    return make_server({"sse_heartbeat_s": 1})


def test_stream_begins_now_and_tells_every_commit(quick: Served) -> None:
    revoke(quick, token=token(quick)).ok()
    latest = quick.operator.get("/v1/revocations/stream").ok()["latest_sequence"]
    with EventStream(quick.operator) as stream:
        assert stream.answer.getheader("content-type") == "text/event-stream"
        assert stream.answer.getheader("cache-control") == "no-store"
        first = next(iter(stream))
        assert (first.event, first.id, first.data["latest_sequence"]) == ("heartbeat", None, latest)
        done = revoke(quick, token=token(quick), reason="told").ok()
        frame = stream.revocations(1)[0]
        assert (frame.id, frame.data["sequence"], frame.data["key"]) == (str(done["sequence"]), done["sequence"], done["event_key"])
        assert frame.data["record"]["token_hash"] == done["token_hash"]
        assert set(frame.data) == {"sequence", "key", "record"}


def test_heartbeats_come_by_themselves(quick: Served) -> None:
    with EventStream(quick.operator) as stream:
        frames = iter(stream)
        beats = [next(frames) for _ in range(3)]
    assert {beat.event for beat in beats} == {"heartbeat"}
    assert all(set(beat.data) == {"latest_sequence", "now"} for beat in beats)


def test_reader_resumes_from_its_last_event_id(quick: Served) -> None:
    first = revoke(quick, token=token(quick)).ok()["sequence"]
    later = [revoke(quick, token=token(quick)).ok()["sequence"] for _ in range(3)]
    with EventStream(quick.operator, last_event_id=str(first)) as stream:
        assert [frame.data["sequence"] for frame in stream.revocations(3)] == later
    with EventStream(quick.operator, f"/v1/revocations/stream?since={first}") as stream:
        assert [frame.data["sequence"] for frame in stream.revocations(3)] == later
    with EventStream(quick.operator, f"/v1/revocations/stream?since={first}", last_event_id=str(later[1])) as stream:
        assert [frame.data["sequence"] for frame in stream.revocations(1)] == later[2:]


def test_position_beyond_the_feed_or_of_bad_form_is_refused(quick: Served) -> None:
    for last, code in (("999999", "REVOCATION_SEQUENCE_AHEAD"), ("x", "INVALID_QUERY"), ("-1", "INVALID_QUERY")):
        with EventStream(quick.operator, last_event_id=last) as stream:
            assert stream.refused is not None
            assert stream.refused["error"] == code
    with EventStream(quick.operator, "/v1/revocations/stream?since=-1") as stream:
        assert stream.refused is not None
        assert stream.refused["error"] == "INVALID_QUERY"


def test_connection_ends_when_its_token_is_revoked(quick: Served, control_plane: ControlPlane) -> None:
    text = control_token(quick, control_plane, "control:audit:read")
    with EventStream(quick.cst(text)) as stream:
        next(iter(stream))
        revoke(quick, token=text).ok()
        assert all(frame.event in ("heartbeat", "revocation") for frame in stream)


def test_connection_ends_when_its_token_expires(quick: Served, control_plane: ControlPlane) -> None:
    with EventStream(quick.cst(control_token(quick, control_plane, "control:audit:read", ttl_sec=1))) as stream:
        assert len(list(stream)) <= 4


def test_subscribers_are_bounded_and_leave_their_place(make_server: MakeServer) -> None:
    served = make_server({"sse_max_subscribers": 1, "sse_heartbeat_s": 1})
    with EventStream(served.operator) as stream:
        next(iter(stream))
        with EventStream(served.operator) as second:
            assert (second.status, second.refused["error"] if second.refused else None) == (503, "TOO_MANY_SUBSCRIBERS")
            assert int(second.answer.getheader("retry-after") or "9") <= 2
    for _ in range(200):
        with EventStream(served.operator) as again:
            if again.status == 200:
                break
    assert again.status == 200
    closed = make_server({"sse_max_subscribers": 0})
    with EventStream(closed.operator) as stream:
        assert stream.status == 503


def test_reader_a_thousand_behind_is_closed_and_resumes(make_server: MakeServer) -> None:
    served = make_server()
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: revoke(served, token_hash=f"{n:064x}").status, range(1300)))
    assert set(done) == {200}
    seen: list[int] = []
    connections = 0
    while len(seen) < 1300:
        connections += 1
        with EventStream(served.operator, last_event_id=str(seen[-1] if seen else 0)) as stream:
            for frame in stream:
                if frame.event == "revocation":
                    seen.append(frame.data["sequence"])
                if len(seen) == 1300:
                    break
    assert seen == list(range(1, 1301))
    assert connections > 1
