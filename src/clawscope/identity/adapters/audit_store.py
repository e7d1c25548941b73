"""The audit chain on SQL: append-only."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from sqlalchemy import Row, bindparam, select

from clawscope.identity.adapters.tables import audit
from clawscope.identity.domain.audit import FIRST_PREV_HASH, AuditRow, entry_hash
from clawscope.infra.db.tx import Tx

_c = audit.c
_HASH = select(_c.entry_hash_b64u).where(_c.sequence == bindparam("s"))
_PAGE = select(audit).where(_c.sequence < bindparam("before")).order_by(_c.sequence.desc()).limit(bindparam("n"))
_BY_TYPE = _PAGE.where(_c.event_type == bindparam("t"))
_BY_SUBJECT = _PAGE.where(_c.subject_did == bindparam("d"))
_BY_BOTH = _BY_TYPE.where(_c.subject_did == bindparam("d"))
_encode = msgspec.json.Encoder().encode
_BEYOND = 2**62


class SqlAudit:
    """`Audit` on SQL; numbers are gapless because they are taken in the transaction that writes the row."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._last: tuple[int, str] | None = None

    def append(self, row: AuditRow) -> AuditRow:
        """Give the row its place in the chain and write it."""
        prev_hash = self.last()[1] if self._tx.take("identity_audit") else FIRST_PREV_HASH
        placed = replace(row, sequence=self._tx.next("identity_audit"), prev_hash_b64u=prev_hash)
        placed = replace(placed, entry_hash_b64u=entry_hash(placed))
        self._last = (placed.sequence, placed.entry_hash_b64u)
        stored = {**placed.body(), "details": _encode(placed.details).decode()}
        self._tx.add(audit, stored)
        return placed

    def last(self) -> tuple[int, str]:
        """The last number and its entry hash."""
        if self._last is None:
            head = self._tx.head("identity_audit")
            found = self._tx.first(_HASH, s=head)
            self._last = (head, found.entry_hash_b64u if found else FIRST_PREV_HASH)
        return self._last

    def page(self, before: int | None, most: int, event_type: str | None, subject_did: str | None) -> list[AuditRow]:
        """Rows below a number, newest first."""
        given = {"before": _BEYOND if before is None else before, "n": most}
        if event_type is not None and subject_did is not None:
            found = self._tx.rows(_BY_BOTH, **given, t=event_type, d=subject_did)
        elif event_type is not None:
            found = self._tx.rows(_BY_TYPE, **given, t=event_type)
        elif subject_did is not None:
            found = self._tx.rows(_BY_SUBJECT, **given, d=subject_did)
        else:
            found = self._tx.rows(_PAGE, **given)
        return [_row(one) for one in found]


def _row(row: Row[tuple[object, ...]]) -> AuditRow:
    kept = dict(row._mapping)
    return AuditRow(**{**kept, "details": msgspec.json.decode(kept["details"])})
