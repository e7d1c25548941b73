"""Audit routes (tokens.md §6)."""

from __future__ import annotations

from clawscope.infra.http.call import Call, Reply, StreamReply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.needs import protected
from clawscope.issuer.adapters import audit_wire, wire
from clawscope.issuer.adapters.denials import Denials
from clawscope.issuer.adapters.replies import about_token, caller_of, filters_of
from clawscope.issuer.domain import events
from clawscope.issuer.domain.code_lists import PROTECTED_CODES
from clawscope.issuer.usecases.export_audit import ExportAudit, ReadAudit
from clawscope.kernel.codes import INVALID_CURSOR
from clawscope.kernel.page import clamp

AUDIT = protected("control:audit:read")


class AuditRoutes:
    """The handlers."""

    def __init__(self, read: ReadAudit, export: ExportAudit, denials: Denials) -> None:
        self._read = read
        self._export = export
        self._denials = denials

    async def issuance(self, call: Call) -> Reply:
        """`GET /v1/audit/issuance`."""
        query = call.query
        return about_token(await self._read.issuance(call.principal, filters_of(query), clamp(query.limit), query.cursor))

    async def approvals(self, call: Call) -> Reply:
        """`GET /v1/audit/approvals`."""
        query = call.query
        return about_token(await self._read.approvals(call.principal, filters_of(query), clamp(query.limit), query.cursor))

    async def bundle(self, call: Call) -> Reply | StreamReply:
        """`GET /v1/audit/bundle`: a signed page, or everything as NDJSON."""
        query: audit_wire.BundleQuery = call.query
        if query.format == "ndjson":
            lines = await self._export.lines(caller_of(call), filters_of(query))
            return StreamReply(
                lines,
                "application/x-ndjson",
                headers={"Content-Disposition": 'attachment; filename="audit-bundle.ndjson"', "Cache-Control": "no-store"},
            )
        cursors = (query.cursor_issuance, query.cursor_revocations, query.cursor_approvals)
        return about_token(await self._export.page(caller_of(call), filters_of(query), clamp(query.limit), cursors))

    def endpoints(self) -> list[Endpoint]:
        """What is served."""
        refused = self._denials.recorded(events.ACCESS_DENIED)
        rows = (
            ("/v1/audit/issuance", self.issuance, "List issuances, newest first", audit_wire.AuditQuery, wire.ListBody),
            ("/v1/audit/approvals", self.approvals, "List approval receipts, newest first", audit_wire.AuditQuery, wire.ListBody),
            (
                "/v1/audit/bundle",
                self.bundle,
                "Export issuances, revocations and approvals, signed",
                audit_wire.BundleQuery,
                audit_wire.BundleBody,
            ),
        )
        return [
            Endpoint(
                "GET",
                path,
                handler,
                AUDIT,
                summary,
                "audit",
                query=query,
                answers={200: answer},
                refusals=(*PROTECTED_CODES, INVALID_CURSOR),
                refused=refused,
            )
            for path, handler, summary, query, answer in rows
        ]
