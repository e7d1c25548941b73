"""A refused request is recorded in a transaction of its own (identity.md §1, §11)."""

from __future__ import annotations

from clawscope.identity.domain import events
from clawscope.identity.domain.signing import fits_grammar
from clawscope.identity.ports import Store
from clawscope.infra.http.call import Call
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import RATE_LIMITED
from clawscope.kernel.errors import Code
from clawscope.kernel.events import Event
from clawscope.kernel.ids import new_id


class Refusals:
    """The hook endpoints call after a refusal."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, call: Call, code: Code) -> None:
        """Write the event; faults of ours are left to the log, and a flood is not answered with writes."""
        if code.status >= 500 or code.name == RATE_LIMITED.name:
            return
        data = {"code": code.name, "route": call.route, "did": _did(call)}
        event = Event(new_id("evt"), events.REQUEST_REFUSED, self._clock.now(), data)
        await self._store.transact(lambda work: work.events.put(event))


def _did(call: Call) -> str | None:
    named = getattr(call.body, "owner_did", None) or getattr(call.body, "did", None)
    return named if isinstance(named, str) and fits_grammar(named) else None
