"""Approval routes (tokens.md §8)."""

from __future__ import annotations

import math
from decimal import Decimal

from clawscope.infra.http.call import Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.needs import permission, permission_or_cst
from clawscope.issuer.adapters import approval_wire, wire
from clawscope.issuer.adapters.denials import Denials
from clawscope.issuer.adapters.replies import about_token, caller_of
from clawscope.issuer.domain import errors, events
from clawscope.issuer.domain.code_lists import CALLER_CODES, CANONICAL_CODES, ISSUE_CODES, VERIFY_CODES
from clawscope.issuer.usecases.exchange_approval import ExchangeApproval
from clawscope.issuer.usecases.remint_token import RemintToken
from clawscope.issuer.usecases.request_approval import Approvals
from clawscope.kernel.codes import IDEMPOTENCY_KEY_IN_USE, IDEMPOTENCY_KEY_REUSED, INVALID_CURSOR, INVALID_REQUEST, NOT_FOUND
from clawscope.kernel.page import clamp
from clawscope.kernel.text import has_controls, trimmed
from clawscope.protocol import approval

_KEY_CODES = (IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY_IN_USE)
_EXCHANGE_CODES = (
    approval.HUMAN_APPROVAL_INVALID, approval.HUMAN_APPROVAL_UNKNOWN_TYPE, approval.HUMAN_APPROVAL_SIGNATURE_INVALID,
    errors.HUMAN_APPROVAL_APPROVER_NOT_TRUSTED, errors.HUMAN_APPROVAL_ALREADY_EXCHANGED, errors.HUMAN_APPROVAL_EXPIRED,
    errors.HUMAN_APPROVAL_NOT_GRANTED, errors.HUMAN_APPROVAL_AGENT_MISMATCH, errors.HUMAN_APPROVAL_SCOPE_MISMATCH,
    errors.HUMAN_APPROVAL_EXCEEDED,
)  # fmt: skip


class ApprovalRoutes:
    """The handlers."""

    def __init__(self, approvals: Approvals, exchange: ExchangeApproval, remint: RemintToken, denials: Denials) -> None:
        self._approvals = approvals
        self._exchange = exchange
        self._remint = remint
        self._denials = denials

    async def ask(self, call: Call) -> Reply:
        """`POST /v1/approvals`."""
        return about_token(await self._approvals.ask(caller_of(call), call.body), 201)

    async def waiting(self, call: Call) -> Reply:
        """`GET /v1/approvals`."""
        return about_token(await self._approvals.list(call.principal, call.query.state, clamp(call.query.limit), call.query.cursor))

    async def get(self, call: Call) -> Reply:
        """`GET /v1/approvals/{approval_id}`."""
        return about_token(await self._approvals.get(call.principal, call.params["approval_id"]))

    async def decide(self, call: Call) -> Reply:
        """`POST /v1/approvals/{approval_id}/decision`."""
        body: approval_wire.DecisionBody = call.body
        return about_token(
            await self._approvals.decide(caller_of(call), call.params["approval_id"], body.decision, body.ttl_sec, body.reason)
        )

    async def exchange(self, call: Call) -> Reply:
        """`POST /v1/approvals/exchange`."""
        body: approval_wire.ApprovalExchangeBody = call.body
        aud, mission = _audiences(body.aud), body.mission_id
        if mission is not None and (not 1 <= len(mission) <= 256 or has_controls(mission)):
            raise INVALID_REQUEST("mission_id: 1 to 256 characters without controls")
        return about_token(await self._exchange(caller_of(call), body.receipt, aud, _ttl(body.ttl_sec), mission))

    def endpoints(self) -> list[Endpoint]:
        """What is served."""
        who = permission_or_cst("tokens:issue")
        asked = (*CALLER_CODES, *VERIFY_CODES)
        refused = self._denials.recorded(events.APPROVAL_REFUSED)
        return [
            Endpoint("POST", "/v1/approvals", self.ask, who, "Ask a human to approve a capability", "approvals", body=wire.PreflightBody,
                     answers={201: approval_wire.ApprovalAskedBody}, refusals=(*asked, *ISSUE_CODES, *_KEY_CODES), idempotent=True,
                     exact_numbers=True),
            Endpoint("GET", "/v1/approvals", self.waiting, permission("approvals:decide"), "List approval requests", "approvals",
                     query=approval_wire.ApprovalListQuery, answers={200: approval_wire.ApprovalListBody},
                     refusals=(*asked, INVALID_CURSOR)),
            Endpoint("GET", "/v1/approvals/{approval_id}", self.get, who, "Show one approval request", "approvals",
                     answers={200: approval_wire.ApprovalRequestBody}, refusals=(*asked, NOT_FOUND)),
            Endpoint("POST", "/v1/approvals/{approval_id}/decision", self.decide, permission("approvals:decide"),
                     "Approve or deny", "approvals",
                     body=approval_wire.DecisionBody, answers={200: approval_wire.ReceiptBody},
                     refusals=(*asked, NOT_FOUND, errors.APPROVAL_ALREADY_DECIDED, errors.APPROVAL_REQUEST_EXPIRED, *_KEY_CODES),
                     idempotent=True),
            Endpoint("POST", "/v1/approvals/exchange", self.exchange, who, "Exchange a receipt for a token", "approvals",
                     body=approval_wire.ApprovalExchangeBody,
                     answers={200: wire.IssuedBody}, refusals=(*asked, *_EXCHANGE_CODES, *ISSUE_CODES, *CANONICAL_CODES), idempotent=True,
                     remint=self._remint, otherwise=errors.ISSUE_FAILED, refused=refused),
        ]  # fmt: skip


def _audiences(given: str | list[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    values = tuple(dict.fromkeys(trimmed(one) for one in ([given] if isinstance(given, str) else given)))
    if not values or not all(values):
        raise INVALID_REQUEST("aud: name at least one audience")
    return values


def _ttl(given: int | Decimal | float | None) -> int | None:
    if given is None:
        return None
    if not 0 < given <= 2**53:
        raise errors.INVALID_TTL("ttl_sec")
    if given < 1:
        raise errors.TTL_EXPIRED("ttl_sec")
    return math.floor(given)
