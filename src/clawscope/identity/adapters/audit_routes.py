"""Routes of the audit chain (identity.md §11)."""

from __future__ import annotations

from clawscope.identity.adapters import wire
from clawscope.identity.adapters.doors import Doors
from clawscope.identity.domain import errors
from clawscope.identity.usecases.export_audit import MOST_ROWS, ExportAudit
from clawscope.identity.usecases.read_audit import ReadAudit
from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.kernel.codes import INVALID_CURSOR, INVALID_QUERY, NOT_FOUND
from clawscope.kernel.page import clamp

_DEFAULT, _MOST = 100, 500
_EXPORT = "/v1/bindings/audit/export"


class AuditRoutes:
    """The handlers."""

    def __init__(self, read: ReadAudit, export: ExportAudit) -> None:
        self._read = read
        self._export = export

    async def page(self, call: Call) -> Reply:
        """`GET /v1/bindings/audit`."""
        query: wire.AuditQuery = call.query
        limit = clamp(query.limit, _DEFAULT, _MOST)
        return Reply(await self._read(limit, query.cursor, query.event_type, query.subject_did), headers=NO_STORE)

    async def export(self, call: Call) -> Reply:
        """`GET /v1/bindings/audit/export`."""
        query: wire.ExportQuery = call.query
        return Reply(await self._export.describe(query.format, clamp(query.limit, most=MOST_ROWS), query.upto), headers=NO_STORE)

    async def exported(self, call: Call) -> Reply:
        """`GET /v1/bindings/audit/export/{key}`."""
        made = await self._export.read(call.params["folder"], call.params["name"])
        return Reply(made.raw, headers=NO_STORE, media_type=made.media_type)

    def endpoints(self, doors: Doors) -> list[Endpoint]:
        """What is served."""
        codes = (INVALID_QUERY, INVALID_CURSOR)
        return [
            doors.audited("/v1/bindings/audit", self.page, "The audit chain", wire.AuditListBody, codes, query=wire.AuditQuery),
            doors.audited(
                f"{_EXPORT}", self.export, "Export the audit chain", wire.AuditExportBody,
                (INVALID_QUERY, errors.INVALID_EXPORT_FORMAT), query=wire.ExportQuery,
            ),
            doors.audited(f"{_EXPORT}/{{folder}}/{{name}}", self.exported, "The bytes of an export", str, (NOT_FOUND,)),
        ]  # fmt: skip
