"""Ask a human for a capability, list what waits, decide (tokens.md §8)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from clawscope.issuer.domain import approvals, errors, events
from clawscope.issuer.domain.caller import Caller
from clawscope.issuer.domain.preflight import PreflightFields
from clawscope.issuer.domain.request import CANONICAL, Asked
from clawscope.issuer.domain.rows import ApprovalRequest
from clawscope.issuer.ports import Store, View, Work
from clawscope.issuer.usecases.preflight import Preflight
from clawscope.issuer.usecases.recording import event_of
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import INVALID_REQUEST, NOT_FOUND
from clawscope.kernel.ids import new_id, new_uuid
from clawscope.kernel.page import decode_cursor, page_of
from clawscope.kernel.principal import Principal
from clawscope.kernel.text import trimmed
from clawscope.protocol import approval, did
from clawscope.protocol.keys import SigningKey

PENDING, APPROVED, DENIED, EXPIRED = "pending", "approved", "denied", "expired"
_MOST_REASON = 2048


class Approvals:
    """Approval requests from asking to the signed receipt."""

    def __init__(
        self, store: Store, view: View, clock: Clock, preflight: Preflight, *, request_ttl_s: int, max_ttl_s: int, max_age_s: int
    ) -> None:
        self._store = store
        self._view = view
        self._clock = clock
        self._preflight = preflight
        self._request_ttl_s = request_ttl_s
        self._max_ttl_s = max_ttl_s
        self._max_age_s = max_age_s

    async def ask(self, caller: Caller, asked_fields: PreflightFields) -> dict[str, Any]:
        """Store a request. Raises the 400 refusals of a preflight; approvals exist in the canonical lane only."""
        asked, grants = self._preflight.read(caller.principal, asked_fields)
        if asked.lane != CANONICAL or None in (asked.owner_did, asked.controller_did, asked.agent_did):
            raise errors.CANONICAL_CHAIN_REQUIRED("an approval names owner, controller and agent")
        now = self._clock.now()

        def record(work: Work) -> ApprovalRequest:
            request = ApprovalRequest(
                sequence=work.approvals.next_sequence(),
                approval_id=new_id("apv"),
                state=PENDING,
                request={**_kept(asked), "reason": asked_fields.reason},
                requested_by=caller.principal.credential,
                created_at=now,
                expires_at=now + self._request_ttl_s,
                org_id=grants.org_id,
                owner_did=asked.owner_did,
            )
            work.approvals.add_request(request)
            work.events.put(event_of(events.APPROVAL_REQUESTED, caller, now, approval_id=request.approval_id))
            return request

        request = await self._store.transact(record)
        return {"approval_id": request.approval_id, "state": PENDING}

    async def get(self, reader: Principal, approval_id: str) -> dict[str, Any]:
        """One request. Raises 404 `NOT_FOUND`."""
        request = await self._store.read(lambda work: work.approvals.request(approval_id))
        if request is None or not _sees(reader, request):
            raise NOT_FOUND("there is no such approval request")
        return shown(request, self._clock.now())

    async def list(self, reader: Principal, state: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
        """Requests newest first."""
        name = f"approvals:{state}"
        before = None if cursor is None else decode_cursor(name, cursor)
        rows = await self._store.read(lambda work: work.approvals.requests(state, reader.reach, before, limit + 1))
        page = page_of(name, [(row.sequence, row) for row in rows], limit)
        now = self._clock.now()
        return {"items": [shown(row, now) for row in page.rows], "cursor": page.cursor, "list_complete": page.list_complete}

    async def decide(self, caller: Caller, approval_id: str, decision: str, ttl_s: int | None, reason: str) -> dict[str, Any]:
        """Approve or deny; the answer is the receipt, signed by our statement key. Raises 404 and the two 409 codes."""
        if not trimmed(reason) or len(reason) > _MOST_REASON:
            raise INVALID_REQUEST("reason: 1 to 2048 characters that say why")
        if ttl_s is not None and not 1 <= ttl_s <= self._max_ttl_s:
            raise INVALID_REQUEST(f"ttl_sec: 1 to {self._max_ttl_s}")
        _, key = (await self._view.fresh()).keyring.signer("statement")
        now = self._clock.now()

        def record(work: Work) -> dict[str, Any]:
            request = self._open_request(work, caller.principal, approval_id, now)
            receipt = self._receipt(request, key, caller.principal.subject, decision, ttl_s, trimmed(reason), now)
            decided = replace(
                request,
                state=APPROVED if decision == "approve" else DENIED,
                decided_at=now,
                decided_by=caller.principal.credential,
                decision=decision,
                reason=trimmed(reason),
                receipt=receipt,
            )
            if not work.approvals.decide(decided):
                raise errors.APPROVAL_ALREADY_DECIDED("somebody else decided first")
            work.events.put(event_of(events.APPROVAL_DECIDED, caller, now, approval_id=approval_id, decision=decision))
            return receipt

        return await self._store.transact(record)

    def _open_request(self, work: Work, decider: Principal, approval_id: str, now: int) -> ApprovalRequest:
        request = work.approvals.request(approval_id)
        if request is None or not _sees(decider, request):
            raise NOT_FOUND("there is no such approval request")
        if request.state != PENDING:
            raise errors.APPROVAL_ALREADY_DECIDED(f"it is {request.state}")
        if request.expires_at <= now:
            raise errors.APPROVAL_REQUEST_EXPIRED("ask again")
        return request

    def _receipt(
        self, request: ApprovalRequest, key: SigningKey, subject: str, decision: str, ttl_s: int | None, reason: str, now: int
    ) -> dict[str, Any]:
        asked = _asked(request)
        payload = approvals.payload_for(
            asked,
            receipt_id=new_id("apr"),
            nonce=new_uuid(),
            approver_did=did.did_key(key.public),
            approver_subject=subject,
            approved=decision == "approve",
            reason=reason,
            ttl_s=min(self._max_ttl_s, ttl_s or asked.ttl_s or self._max_ttl_s),
            now=now,
            max_age_s=self._max_age_s,
        )
        return approval.build(payload, key)


def shown(request: ApprovalRequest, now: int) -> dict[str, Any]:
    """A request as readers see it; a pending one past its time shows as expired."""
    state = EXPIRED if request.state == PENDING and request.expires_at <= now else request.state
    body: dict[str, Any] = {
        "approval_id": request.approval_id,
        "state": state,
        "request": dict(request.request),
        "requested_by": request.requested_by,
        "created_at": request.created_at,
        "expires_at": request.expires_at,
    }
    rest = {name: getattr(request, name) for name in ("decided_at", "decided_by", "decision", "reason", "receipt")}
    return body | {name: value for name, value in rest.items() if value is not None}


def _kept(asked: Asked) -> dict[str, Any]:
    facts = {field.name: getattr(asked, field.name) for field in fields(asked)}
    return {name: value for name, value in facts.items() if value not in (None, ())}


def _asked(request: ApprovalRequest) -> Asked:
    known = {field.name for field in fields(Asked)}
    kept: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in request.request.items() if name in known
    }
    return Asked(**kept)


def _sees(reader: Principal, request: ApprovalRequest) -> bool:
    # A token is bound to its agent: whoever minted it, it shows the requests of that agent alone.
    if reader.kind == "cst":
        return reader.subject == request.request.get("agent_did")
    return reader.reach.covers(request.org_id, request.owner_did)
