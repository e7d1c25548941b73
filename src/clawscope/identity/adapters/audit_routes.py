"""Routes of the audit chain (identity.md §11)."""

from __future__ import annotations

from clawscope.identity.adapters import wire
from clawscope.identity.adapters.doors import Doors
from clawscope.identity.usecases.read_audit import ReadAudit
from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.kernel.codes import INVALID_CURSOR, INVALID_QUERY
from clawscope.kernel.page import clamp

_DEFAULT, _MOST = 100, 500


class AuditRoutes:
    """The handlers."""

    def __init__(self, read: ReadAudit) -> None:
        self._read = read

    async def page(self, call: Call) -> Reply:
        """`GET /v1/bindings/audit`."""
        query: wire.AuditQuery = call.query
        limit = clamp(query.limit, _DEFAULT, _MOST)
        return Reply(await self._read(limit, query.cursor, query.event_type, query.subject_did), headers=NO_STORE)

    def endpoints(self, doors: Doors) -> list[Endpoint]:
        """What is served."""
        codes = (INVALID_QUERY, INVALID_CURSOR)
        return [
            doors.audited("/v1/bindings/audit", self.page, "The audit chain", wire.AuditListBody, codes, query=wire.AuditQuery),
        ]
