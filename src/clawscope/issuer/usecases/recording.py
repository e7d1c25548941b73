"""What a use case tells of itself: events with the members every event of the issuer has (tokens.md §13)."""

from __future__ import annotations

from typing import Any

from clawscope.issuer.domain.caller import Caller
from clawscope.kernel.clock import monotonic_us
from clawscope.kernel.events import Event
from clawscope.kernel.ids import new_id


def event_of(name: str, caller: Caller, at: int, **more: Any) -> Event:
    """An event of this caller's request; absent members are left out. `duration_us` counts from the request's arrival."""
    data = {
        "actor": caller.principal.credential,
        "org_id": caller.principal.claims.get("org_id"),
        "route": caller.route,
        "status": 200,
        "duration_us": monotonic_us() - caller.started_us,
        "trace_id": caller.trace_id,
        "request_id": caller.request_id,
        **more,
    }
    return Event(new_id("evt"), name, at, {key: value for key, value in data.items() if value is not None})
