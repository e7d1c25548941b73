"""How often one source may call identity in a minute (identity.md §13)."""

from __future__ import annotations

from clawscope.infra.http.call import Call
from clawscope.infra.limit.source_rate import SourceRate
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import RATE_LIMITED

# The counter knows seconds; on a clock sixty times slower its second is a minute.
_SLOWER = 60


class MinuteLimit:
    """At most so many calls of one source in any minute, in this process; 0 is no limit."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._rate = SourceRate(per_minute)
        self._clock = clock

    def charge(self, call: Call) -> None:
        """Count a call. Raises `RATE_LIMITED` with `Retry-After`."""
        charge = self._rate.charge(call.source, self._clock.now_ms() // _SLOWER)
        if charge.allowed:
            return
        most, wait_s = self._rate.per_second, charge.retry_after_s * _SLOWER
        headers = {"RateLimit-Policy": f'"minute";q={most};w=60', "RateLimit": f'"minute";r=0;t={wait_s}', "Retry-After": str(wait_s)}
        raise RATE_LIMITED(f"at most {most} calls a minute from one source", headers=headers)
