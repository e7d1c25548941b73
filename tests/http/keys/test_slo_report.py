"""Acks of verifier nodes and the report made of them, by the issuer's clock (keys.md §7)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.fakes.control_plane import ControlPlane
from tests.http.client import Answer, Client
from tests.http.keys.conftest import OpenDesk
from tests.http.keys.desk import ACK, SLO, Desk
from tests.http.tokens import control_token

LIVE_S, FORGET_S = 30, 3600
MEMBERS = [
    "report_version", "generated_at", "generated_at_iso", "window_hours", "slo_target_seconds", "total_revocations",
    "observed_revocations", "pending_revocations", "overdue_revocations", "compliance_ratio", "latency_seconds", "nodes", "lost_nodes",
    "report_id",
]  # fmt: skip
NOBODY = {"min": None, "p50": None, "p95": None, "p99": None, "max": None}


class Feed:
    """One desk, its feed and a proxy that reports when told to."""

    def __init__(self, desk: Desk, proxy: Client) -> None:
        self.desk = desk
        self.proxy = proxy
        self.latest = 0
        self._hashes = (f"{number:064x}" for number in itertools.count(1))

    def ack(self, sequence: int | None = None, **changes: Any) -> Answer:
        """Report as `proxy-1`."""
        body = {"node_id": "proxy-1", "kind": "proxy", "applied_sequence": self.latest if sequence is None else sequence}
        return self.proxy.post(ACK, body | changes)

    def revoke(self) -> int:
        """A feed row, once the issuer's own process has told that it applied it."""
        self.latest = self.desk.post("/v1/tokens/revoke", {"token_hash": next(self._hashes)}).ok()["sequence"]
        self.desk.settle()
        return self.latest

    def applied_after(self, seconds: float) -> None:
        """A row that the proxy applies after some time."""
        self.revoke()
        self.desk.move(seconds)
        self.ack().ok()

    def report(self, **query: Any) -> dict[str, Any]:
        """The report."""
        return dict(self.desk.served.operator.get(SLO, **query).ok())


@pytest.fixture
def feed(desk: Desk, control_plane: ControlPlane) -> Feed:
    """An empty feed; the proxy calls with a CST for the feed alone."""
    return feed_of(desk, control_plane)


@pytest.fixture(scope="module")
def quiet(open_desk: OpenDesk, control_plane: ControlPlane) -> Feed:
    """A feed of one row, for requests that change nothing."""
    feed = feed_of(open_desk(), control_plane)
    feed.revoke()
    return feed


def feed_of(desk: Desk, control_plane: ControlPlane) -> Feed:
    """The feed of a desk."""
    chain = control_plane.chain(allowed=("control:revocations:read",))
    return Feed(desk, desk.served.cst(control_token(desk.served, control_plane, "control:revocations:read", chain=chain)))


def test_the_contracts_numbers_come_out_of_real_acks(feed: Feed) -> None:
    feed.ack().ok()
    for latency in (0.2, 0.4, 0.9, 1.5, 2.5):
        feed.applied_after(latency)
    feed.revoke()
    feed.desk.move(9)
    feed.revoke()
    feed.desk.move(1)
    report = feed.report()
    assert list(report) == MEMBERS
    figures = {name: report[name] for name in MEMBERS[3:11]}
    assert figures == {
        "window_hours": 24, "slo_target_seconds": 2, "total_revocations": 7, "observed_revocations": 5, "pending_revocations": 2,
        "overdue_revocations": 1, "compliance_ratio": 0.666667,
        "latency_seconds": {"min": 0.2, "p50": 0.9, "p95": 2.5, "p99": 2.5, "max": 2.5},
    }  # fmt: skip
    assert report["report_version"] == "1"
    assert report["generated_at"] == feed.desk.clock.now()
    assert report["generated_at_iso"].endswith(".000Z")
    assert report["report_id"].startswith("rsl_")


def test_nodes_are_listed_with_what_they_lack(feed: Feed) -> None:
    feed.revoke()
    feed.ack().ok()
    feed.revoke()
    seen = feed.desk.clock.now()
    feed.desk.move(5)
    nodes = {one["node_id"]: one for one in feed.report()["nodes"]}
    assert nodes["proxy-1"] == {"node_id": "proxy-1", "kind": "proxy", "applied_sequence": 1, "lag": 1, "last_seen_at": seen}
    assert [one["kind"] for one in nodes.values() if one["node_id"] != "proxy-1"] == ["issuer"]


def test_without_data_there_is_no_ratio(feed: Feed) -> None:
    report = feed.report()
    assert report["compliance_ratio"] is None
    assert report["latency_seconds"] == NOBODY
    assert (report["total_revocations"], report["lost_nodes"]) == (0, [])


def test_a_pending_row_within_the_target_is_not_judged_and_then_is_overdue(feed: Feed) -> None:
    feed.ack().ok()
    feed.revoke()
    for seconds, overdue, ratio in ((0, 0, None), (2, 0, None), (0.001, 1, 0.0)):
        feed.desk.move(seconds)
        report = feed.report()
        assert (report["pending_revocations"], report["overdue_revocations"], report["compliance_ratio"]) == (1, overdue, ratio)


def test_latency_at_the_target_is_within_it(feed: Feed) -> None:
    feed.ack().ok()
    feed.applied_after(2)
    assert feed.report()["compliance_ratio"] == 1.0
    feed.applied_after(2.001)
    assert feed.report()["compliance_ratio"] == 0.5


def test_a_silent_node_keeps_rows_pending_then_overdue_then_is_lost(feed: Feed) -> None:
    feed.ack().ok()
    feed.revoke()
    feed.desk.move(LIVE_S + 1)
    feed.revoke()
    report = feed.report()
    assert (report["total_revocations"], report["observed_revocations"], report["overdue_revocations"]) == (2, 1, 1)
    feed.desk.move(FORGET_S)
    feed.desk.work("keys.lost_nodes")
    report = feed.report()
    assert "proxy-1" in [one["node_id"] for one in report["lost_nodes"]]
    assert report["overdue_revocations"] == 1
    feed.desk.work("keys.lost_nodes")
    assert [one["node_id"] for one in feed.desk.events("verifier_node_lost")].count("proxy-1") == 1


def test_a_node_that_leaves_in_good_order_is_not_missed(feed: Feed) -> None:
    feed.ack().ok()
    feed.revoke()
    feed.ack(leaving=True).ok()
    feed.desk.move(1)
    feed.revoke()
    report = feed.report()
    assert (report["total_revocations"], report["observed_revocations"]) == (2, 2)
    assert "proxy-1" not in [one["node_id"] for one in report["nodes"] + report["lost_nodes"]]


@pytest.mark.parametrize(("asked", "hours"), [(None, 24), (1, 1), (0, 1), (-3, 1), (336, 336), (337, 336), (10**9, 336)])
def test_window_is_clamped(quiet: Feed, asked: int | None, hours: int) -> None:
    report = quiet.report(**({} if asked is None else {"window_hours": asked}))
    assert report["window_hours"] == hours


def test_only_rows_of_the_window_count(feed: Feed) -> None:
    feed.ack().ok()
    feed.applied_after(1)
    feed.desk.move(3600)
    assert feed.report(window_hours=1)["total_revocations"] == 0
    assert feed.report(window_hours=2)["total_revocations"] == 1


def test_a_report_is_kept_where_asked_and_every_hour(feed: Feed) -> None:
    feed.desk.move(3600)
    before = len(feed.desk.events("slo_report_stored"))
    feed.report()
    feed.report(persist="false")
    assert len(feed.desk.events("slo_report_stored")) == before
    kept = feed.report(persist="true")
    assert feed.desk.events("slo_report_stored")[-1]["report_id"] == kept["report_id"]
    feed.desk.work("keys.slo")
    assert len(feed.desk.events("slo_report_stored")) == before + 1
    feed.desk.move(3600)
    feed.desk.work("keys.slo")
    feed.desk.work("keys.slo")
    assert len(feed.desk.events("slo_report_stored")) == before + 2


@pytest.mark.parametrize("table", ["issuer_node_presence", "issuer_revocations"])
def test_a_report_that_cannot_be_computed_says_so(feed: Feed, table: str) -> None:
    feed.revoke()
    feed.desk.break_table(table)
    assert feed.desk.served.operator.get(SLO).refusal == (500, "REVOCATION_SLO_REPORT_FAILED")
    feed.desk.mend_table(table)
    feed.desk.break_table("issuer_slo_reports")
    assert feed.desk.served.operator.get(SLO, persist="true").refusal == (500, "REVOCATION_SLO_REPORT_FAILED")
    assert feed.report()["total_revocations"] == 1


def test_bad_queries_are_refused(quiet: Feed) -> None:
    for query in ({"window_hours": "x"}, {"window_hours": 1.5}, {"persist": "maybe"}, {"hours": 3}):
        assert quiet.desk.served.operator.get(SLO, **query).refusal == (400, "INVALID_QUERY")


def test_an_ack_answers_with_the_latest_sequence(feed: Feed) -> None:
    feed.revoke()
    assert feed.ack(0).ok() == {"node_id": "proxy-1", "applied_sequence": 0, "latest_sequence": 1}
    assert feed.ack(1).ok() == {"node_id": "proxy-1", "applied_sequence": 1, "latest_sequence": 1}


def test_an_ack_beyond_the_feed_is_refused(feed: Feed) -> None:
    feed.revoke()
    assert feed.ack(2).refusal == (409, "REVOCATION_SEQUENCE_AHEAD")
    assert "proxy-1" not in [one["node_id"] for one in feed.report()["nodes"]]


@pytest.mark.parametrize("node", ["", "a b", "ä", "n" * 65, "a/b"])
def test_a_node_id_is_of_few_characters(quiet: Feed, node: str) -> None:
    assert quiet.ack(node_id=node).refusal == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("change", [{"applied_sequence": -1}, {"applied_sequence": "1"}, {"kind": ""}, {"leaving": "yes"}, {"more": 1}])
def test_a_bad_ack_is_refused(quiet: Feed, change: dict[str, Any]) -> None:
    assert quiet.ack(**change).refusal == (400, "INVALID_REQUEST")


def test_a_node_belongs_to_the_credential_that_first_used_it(feed: Feed, control_plane: ControlPlane) -> None:
    feed.ack().ok()
    foreign = control_token(feed.desk.served, control_plane, "control:audit:read")
    body = {"node_id": "proxy-1", "kind": "proxy", "applied_sequence": 0}
    assert feed.desk.served.cst(foreign).post(ACK, body).refusal == (403, "FORBIDDEN")
    assert feed.desk.served.operator.post(ACK, body).refusal == (403, "FORBIDDEN")
    assert feed.desk.served.operator.post(ACK, body | {"node_id": "proxy-2"}).status == 200


def test_a_node_goes_on_with_a_renewed_token_of_its_subject(desk: Desk, control_plane: ControlPlane) -> None:
    chain = control_plane.chain(allowed=("control:revocations:read",))
    for _ in range(2):
        held = control_token(desk.served, control_plane, "control:revocations:read", chain=chain, ttl_sec=60)
        desk.served.cst(held).post(ACK, {"node_id": "p", "kind": "proxy", "applied_sequence": 0}).ok()
        desk.move(130)


@pytest.mark.parametrize(
    ("scope", "status"), [("control:revocations:read", 200), ("control:audit:read", 200), ("control:token:revoke", 403)]
)
def test_an_ack_takes_the_rights_of_the_feed(desk: Desk, control_plane: ControlPlane, scope: str, status: int) -> None:
    chain = control_plane.chain(allowed=(scope,))
    held = desk.served.cst(control_token(desk.served, control_plane, scope, chain=chain))
    assert held.post(ACK, {"node_id": "p", "kind": "proxy", "applied_sequence": 0}).status == status
    assert desk.served.anyone.post(ACK, {"node_id": "p", "kind": "proxy", "applied_sequence": 0}).refusal == (401, "TOKEN_REQUIRED")


def test_an_own_process_joins_at_start_and_leaves_in_good_order(open_desk: OpenDesk) -> None:
    desk = open_desk()
    (own,) = desk.served.operator.get(SLO).ok()["nodes"]
    assert (own["kind"], own["applied_sequence"], own["lag"]) == ("issuer", 0, 0)
    desk.served.stop()
    again = open_desk(clock=desk.clock, data=desk.served.data)
    report = again.served.operator.get(SLO).ok()
    assert own["node_id"] not in [one["node_id"] for one in report["nodes"] + report["lost_nodes"]]
    assert len(report["nodes"]) == 1
