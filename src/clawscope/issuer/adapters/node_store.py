"""Verifier nodes on SQL: when each was heard from, what it had applied when, and how long every feed row took (keys.md §7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, case, delete, func, insert, or_, select, update

from clawscope.infra.db.tx import Tx
from clawscope.issuer.adapters.key_tables import node_applications, node_presence, slo_reports, verifier_nodes
from clawscope.issuer.adapters.tables import revocations
from clawscope.issuer.domain.rows import NodeState

_n, _p, _a, _r = verifier_nodes.c, node_presence.c, node_applications.c, revocations.c
_PAGE_ROWS = 1000
_ALL = select(verifier_nodes).order_by(_n.node_id)
_GET = select(verifier_nodes).where(_n.node_id == bindparam("v"))
# A no-op that makes two reports of one node wait for each other on PostgreSQL.
_HOLD = update(verifier_nodes).where(_n.node_id == bindparam("v")).values(node_id=_n.node_id)
_ADD = insert(verifier_nodes)
_HEARD = (
    update(verifier_nodes)
    .where(_n.node_id == bindparam("p_id"))
    .values({name: bindparam(f"p_{name}") for name in ("kind", "credential", "applied_sequence", "last_seen_ms", "left", "lost_told")})
)
_LOST = update(verifier_nodes).where(_n.node_id == bindparam("v")).values(lost_told=1)
_STRETCH = select(node_presence).where(_p.node_id == bindparam("v")).order_by(_p.from_ms.desc()).limit(1)
_BEGIN = insert(node_presence)
_EXTEND = (
    update(node_presence)
    .where(_p.node_id == bindparam("p_id"), _p.from_ms == bindparam("p_from"))
    .values(to_ms=bindparam("p_to"), left=bindparam("p_left"))
)
_APPLIED = insert(node_applications)
_APPLIED_TO = select(func.max(_a.applied_sequence)).where(_a.node_id == bindparam("v"))
_LAST_REPORT = select(func.max(slo_reports.c.generated_at))
_START = select(func.min(_r.sequence)).where(_r.committed_at_ms >= bindparam("from_ms"))


def _latencies() -> Any:
    """One page of feed rows, each with how many nodes it had, how many have not applied it, and the latest application."""
    rows = (
        select(_r.sequence, _r.committed_at_ms)
        .where(_r.sequence > bindparam("after"), _r.committed_at_ms >= bindparam("from_ms"), _r.committed_at_ms <= bindparam("to_ms"))
        .order_by(_r.sequence)
        .limit(bindparam("most"))
        .subquery("page")
    )
    heard = and_(
        _p.from_ms <= rows.c.committed_at_ms,
        _p.to_ms >= rows.c.committed_at_ms - bindparam("live_ms"),
        or_(_p.left == 0, _p.to_ms >= rows.c.committed_at_ms),
    )
    seen = (
        select(rows.c.sequence, rows.c.committed_at_ms, _p.node_id, _p.to_ms, _p.left, _applied(rows).label("applied_ms"))
        .select_from(rows.outerjoin(node_presence, heard))
        .subquery("seen")
    )
    s = seen.c
    # A node that left in good order counts only for what it had applied by then.
    counts = and_(s.node_id.is_not(None), or_(s.left == 0, and_(s.applied_ms.is_not(None), s.applied_ms <= s.to_ms)))
    return (
        select(
            s.sequence,
            s.committed_at_ms,
            func.sum(case((counts, 1), else_=0)).label("nodes"),
            func.sum(case((and_(counts, s.applied_ms.is_(None)), 1), else_=0)).label("missing"),
            func.max(case((counts, s.applied_ms))).label("latest_ms"),
        )
        .group_by(s.sequence, s.committed_at_ms)
        .order_by(s.sequence)
    )


def _applied(rows: Any) -> Any:
    """When a node had applied a feed row: its first report of that sequence or a later one."""
    return (
        select(_a.at_ms)
        .where(_a.node_id == _p.node_id, _a.applied_sequence >= rows.c.sequence)
        .order_by(_a.applied_sequence)
        .limit(1)
        .correlate(node_presence, rows)
        .scalar_subquery()
    )


_LATENCIES = _latencies()
_PRUNE_APPLIED = delete(node_applications).where(_a.at_ms < bindparam("before"))
_PRUNE_PRESENT = delete(node_presence).where(_p.to_ms < bindparam("before"))


class SqlNodes:
    """`Nodes` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, node_id: str) -> NodeState | None:
        """A node, as it last reported."""
        row = self._tx.first(_GET, v=node_id)
        return None if row is None else _read(row)

    def heard(self, node: NodeState, gap_ms: int) -> None:
        """Record a report: the node's state, the stretch it was present (a pause over `gap_ms` begins a new one), what it applied."""
        known = self._tx.change(_HOLD, v=node.node_id) > 0
        values = {"kind": node.kind, "credential": node.credential, "applied_sequence": node.applied_sequence}
        values |= {"last_seen_ms": node.last_seen_ms, "left": int(node.left), "lost_told": int(node.lost_told)}
        if known:
            self._tx.change(_HEARD, p_id=node.node_id, **{f"p_{name}": value for name, value in values.items()})
        else:
            self._tx.change(_ADD, node_id=node.node_id, **values)
        self._present(node, gap_ms)
        reached = self._tx.first(_APPLIED_TO, v=node.node_id)
        if reached is None or reached[0] is None or reached[0] < node.applied_sequence:
            self._tx.change(_APPLIED, node_id=node.node_id, applied_sequence=node.applied_sequence, at_ms=node.last_seen_ms)

    def all(self) -> list[NodeState]:
        """Every node ever heard from, by id."""
        return [_read(row) for row in self._tx.rows(_ALL)]

    def mark_lost(self, node_id: str) -> None:
        """Remember that a node's loss was told."""
        self._tx.change(_LOST, v=node_id)

    def prune(self, before_ms: int) -> int:
        """Drop reports older than every window that can be asked for; how many. What the nodes are now stays."""
        return self._tx.change(_PRUNE_APPLIED, before=before_ms) + self._tx.change(_PRUNE_PRESENT, before=before_ms)

    def latencies(self, from_ms: int, to_ms: int, live_ms: int) -> Iterator[tuple[int, int, int | None]]:
        """Feed rows committed in the window: sequence, commit, and the latest application of its nodes, all in milliseconds.

        `None` while one of its nodes has not applied it, or if no node was there to report. Read in pages, so memory is constant.
        """
        first = self._tx.first(_START, from_ms=from_ms)
        if first is None or first[0] is None:
            return
        after = int(first[0]) - 1
        while True:
            rows = self._tx.rows(_LATENCIES, after=after, from_ms=from_ms, to_ms=to_ms, live_ms=live_ms, most=_PAGE_ROWS)
            for row in rows:
                yield row.sequence, row.committed_at_ms, row.latest_ms if row.nodes and not row.missing else None
            if len(rows) < _PAGE_ROWS:
                return
            after = rows[-1].sequence

    def keep_report(self, report_id: str, generated_at: int, body: Mapping[str, Any]) -> None:
        """Store a report."""
        self._tx.add(slo_reports, {"report_id": report_id, "generated_at": generated_at, "body": msgspec.json.encode(body).decode()})

    def last_report_at(self) -> int | None:
        """When the newest stored report was made, in epoch seconds."""
        row = self._tx.first(_LAST_REPORT)
        return None if row is None or row[0] is None else int(row[0])

    def _present(self, node: NodeState, gap_ms: int) -> None:
        now = node.last_seen_ms
        stretch = self._tx.first(_STRETCH, v=node.node_id)
        if stretch is not None and ((not stretch.left and now - stretch.to_ms <= gap_ms) or now <= stretch.from_ms):
            self._tx.change(_EXTEND, p_id=node.node_id, p_from=stretch.from_ms, p_to=max(now, stretch.to_ms), p_left=int(node.left))
        else:
            self._tx.change(_BEGIN, node_id=node.node_id, from_ms=now, to_ms=now, left=int(node.left))


def _read(row: Any) -> NodeState:
    return NodeState(row.node_id, row.kind, row.credential, row.applied_sequence, row.last_seen_ms, bool(row.left), bool(row.lost_told))
