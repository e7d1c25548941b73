"""Approval requests, spent receipts and approval audit rows on SQL."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import bindparam, or_, select, update

from clawscope.infra.db.tx import Tx
from clawscope.issuer.adapters.issuance_store import within
from clawscope.issuer.adapters.tables import approval_requests, approvals, spent_receipts
from clawscope.issuer.domain.rows import ApprovalRequest, ApprovalRow, Filters, SpentReceipt
from clawscope.kernel.principal import Reach

_r = approval_requests.c
_a = approvals.c
_s = spent_receipts.c
_REQUEST = select(approval_requests).where(_r.approval_id == bindparam("v"))
_DECIDE = (
    update(approval_requests)
    .where(_r.approval_id == bindparam("v"), _r.state == "pending")
    .values(
        state=bindparam("st"),
        decided_at=bindparam("at"),
        decided_by=bindparam("by"),
        decision=bindparam("d"),
        reason=bindparam("why"),
        receipt=bindparam("rc"),
    )
)
_SPENT = select(spent_receipts).where(
    or_(_s.payload_hash == bindparam("h"), (_s.signer_did == bindparam("d")) & (_s.receipt_id == bindparam("r")))
)
_encode = msgspec.json.Encoder().encode
# Filters the other audit lists know but approvals have no column for select nothing here.
_COLUMNS = ("token_hash", "jti", "sub", "owner_did", "agent_did", "controller_did")


class SqlApprovals:
    """`Approvals` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def next_sequence(self) -> int:
        """The next number of approval rows and requests."""
        return self._tx.next("approvals")

    def head(self) -> int:
        """The last committed number."""
        return self._tx.head("approvals")

    def add_request(self, request: ApprovalRequest) -> None:
        """Append a request."""
        row = {name: getattr(request, name) for name in ApprovalRequest.__dataclass_fields__ if name not in ("request", "receipt")}
        self._tx.add(approval_requests, row | {"request": _encode(request.request).decode(), "receipt": None})

    def request(self, approval_id: str) -> ApprovalRequest | None:
        """One request."""
        row = self._tx.first(_REQUEST, v=approval_id)
        return None if row is None else _request(row)

    def decide(self, request: ApprovalRequest) -> bool:
        """Record a decision; False if somebody decided first."""
        receipt = None if request.receipt is None else _encode(request.receipt).decode()
        return (
            self._tx.change(
                _DECIDE,
                v=request.approval_id,
                st=request.state,
                at=request.decided_at,
                by=request.decided_by,
                d=request.decision,
                why=request.reason,
                rc=receipt,
            )
            > 0
        )

    def requests(self, state: str | None, reach: Reach, before: int | None, most: int) -> list[ApprovalRequest]:
        """Requests newest first."""
        conditions = [within(_r, reach), *([_r.state == state] if state else []), *([_r.sequence < before] if before is not None else [])]
        rows = self._tx.rows(select(approval_requests).where(*conditions).order_by(_r.sequence.desc()).limit(most))
        return [_request(row) for row in rows]

    def spent(self, signer_did: str, receipt_id: str, payload_hash: str) -> SpentReceipt | None:
        """How a receipt was spent, if it was."""
        row = self._tx.first(_SPENT, h=payload_hash, d=signer_did, r=receipt_id)
        return None if row is None else SpentReceipt(*(getattr(row, name) for name in SpentReceipt.__dataclass_fields__))

    def spend(self, receipt: SpentReceipt) -> None:
        """Mark a receipt spent; unique on payload hash and on signer with receipt id."""
        self._tx.add(spent_receipts, {name: getattr(receipt, name) for name in SpentReceipt.__dataclass_fields__})

    def add(self, row: ApprovalRow) -> None:
        """Append an approval row."""
        kept = {name: getattr(row, name) for name in ApprovalRow.__dataclass_fields__ if name != "record"}
        self._tx.add(approvals, kept | {"record": _encode(row.record).decode()})

    def page(self, filters: Filters, reach: Reach, before: int | None, most: int) -> list[tuple[int, ApprovalRow]]:
        """Rows newest first, below a position."""
        if any(name not in _COLUMNS for name in filters.equal):
            return []
        conditions = [*_conditions(filters, reach), *([_a.sequence < before] if before is not None else [])]
        rows = self._tx.rows(select(approvals).where(*conditions).order_by(_a.sequence.desc()).limit(most))
        return [(row.sequence, _approval(row)) for row in rows]

    def export(self, filters: Filters, reach: Reach, after: int, through: int, most: int) -> list[tuple[int, ApprovalRow]]:
        """Rows in commit order above `after` up to `through`."""
        if any(name not in _COLUMNS for name in filters.equal):
            return []
        conditions = [*_conditions(filters, reach), _a.sequence > after, _a.sequence <= through]
        rows = self._tx.rows(select(approvals).where(*conditions).order_by(_a.sequence).limit(most))
        return [(row.sequence, _approval(row)) for row in rows]


def _conditions(filters: Filters, reach: Reach) -> list[Any]:
    found = [within(_a, reach), *(_a[name] == value for name, value in filters.equal.items())]
    if filters.from_at is not None:
        found.append(_a.at >= filters.from_at)
    if filters.to_at is not None:
        found.append(_a.at < filters.to_at)
    return found


def _request(row: Any) -> ApprovalRequest:
    kept = {name: getattr(row, name) for name in ApprovalRequest.__dataclass_fields__}
    kept["request"] = msgspec.json.decode(row.request)
    kept["receipt"] = None if row.receipt is None else msgspec.json.decode(row.receipt)
    return ApprovalRequest(**kept)


def _approval(row: Any) -> ApprovalRow:
    kept = {name: getattr(row, name) for name in ApprovalRow.__dataclass_fields__}
    return ApprovalRow(**(kept | {"record": msgspec.json.decode(row.record)}))
