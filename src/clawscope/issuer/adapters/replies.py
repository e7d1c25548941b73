"""From a judged call to a use case's caller, and the house's replies about tokens."""

from __future__ import annotations

from typing import Any

from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.issuer.domain.caller import AnswerKey, Caller
from clawscope.issuer.domain.rows import AUDIT_FILTERS, Filters


def caller_of(call: Call) -> Caller:
    """The caller a use case sees."""
    ticket = call.ticket
    key = None if ticket is None else AnswerKey(ticket.caller, ticket.route, ticket.key, ticket.body_hash)
    return Caller(call.principal, call.route, call.request_id, call.trace.trace_id, call.started_us, key)


def about_token(body: Any, status: int = 200) -> Reply:
    """An answer about a token: never stored by anybody on the way."""
    return Reply(body, status, NO_STORE)


def filters_of(query: Any) -> Filters:
    """The audit filters of a query."""
    equal = {name: value for name in AUDIT_FILTERS if (value := getattr(query, name)) is not None}
    return Filters(equal, query.from_, query.to)
