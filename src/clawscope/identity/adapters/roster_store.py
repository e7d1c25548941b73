"""Rosters on SQL: every manifest is kept."""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, select

from clawscope.identity.adapters.tables import rosters
from clawscope.identity.domain.roster import Roster
from clawscope.infra.db.tx import Tx

_c = rosters.c
_LATEST = select(_c.record).where(_c.org_id == bindparam("o")).order_by(_c.issued_at.desc()).limit(1)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Roster).decode


class SqlRosters:
    """`Rosters` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def latest(self, org_id: str) -> Roster | None:
        """The manifest in force."""
        row = self._tx.first(_LATEST, o=org_id)
        return None if row is None else _decode(row.record)

    def add(self, roster: Roster) -> None:
        """Append a manifest."""
        self._tx.add(rosters, {"org_id": roster.org_id, "issued_at": roster.issued_at, "record": _encode(roster).decode()})
