"""End the tokens that rested on what identity has just ended, in identity's own transaction (tokens.md §2.3, §4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from clawscope.issuer.domain import events
from clawscope.issuer.domain.feed import CUTOFF, TOKEN, FeedRow
from clawscope.issuer.domain.issuance import Issuance
from clawscope.issuer.ports import Work
from clawscope.kernel.clock import Clock
from clawscope.kernel.events import Event
from clawscope.kernel.ids import new_id
from clawscope.kernel.principal import Reach
from clawscope.protocol import scope as scopes
from clawscope.protocol.revocation import DIMENSIONS

_ACTOR = "system:identity"
_EVERYBODY = Reach(everything=True)


class EndTokens:
    """One cut-off row where the feed has the dimension; else every live token that matches, by name."""

    def __init__(self, clock: Clock, *, hard_max_ttl_s: int, clock_skew_s: int) -> None:
        self._clock = clock
        self._longest_s = hard_max_ttl_s + 2 * clock_skew_s

    def __call__(self, work: Work, dimension: str, value: str, reason: str) -> None:
        """End them. `dimension` is one of the feed's, or `sub`, `delegator_did`, `controller_owner`, `controller_scopes`.

        The last two take `<controller> <owner>`, and the controller with the scopes it lost, joined by blanks.
        """
        work.issuances.queue()
        work.revocations.queue()
        if dimension == "delegator_did":
            dimension = "owner_did"  # a delegation's delegator is the token's owner (§1.1)
        if dimension in DIMENSIONS:
            self._cut(work, dimension, value, reason)
            return
        first, _, rest = value.partition(" ")
        column = "sub" if dimension == "sub" else "controller_did"
        fits = _FITS[dimension](rest)
        now = self._clock.now()
        self._end(work, (row for row in work.issuances.live_rows(column, first, now, _EVERYBODY) if fits(row)), reason, now)

    def _cut(self, work: Work, dimension: str, value: str, reason: str) -> None:
        now = self._clock.now()
        not_before = max(now, work.issuances.latest_iat(dimension, value) or 0)
        row = FeedRow(
            sequence=work.revocations.next_sequence(),
            kind=CUTOFF,
            exp=not_before + self._longest_s,
            reason=reason,
            revoked_by=_ACTOR,
            revoked_at=now,
            committed_at_ms=work.committed_at_ms(),
            dimension=dimension,
            value=value,
            not_before=not_before,
            cutoff_id=new_id("cut"),
        )
        work.revocations.add(row)
        data = {"actor": _ACTOR, "dimension": dimension, "value": value, "sequence": row.sequence, "reason": reason}
        work.events.put(Event(new_id("evt"), events.SUBJECTS_CUT_OFF, now, data))

    def _end(self, work: Work, rows: Iterable[Issuance], reason: str, now: int) -> None:
        for issuance in rows:
            jti = issuance.claims["jti"]
            if work.revocations.find(jti, issuance.token_hash) is not None:
                continue
            row = FeedRow(
                sequence=work.revocations.next_sequence(),
                kind=TOKEN,
                exp=int(issuance.claims["exp"]),
                reason=reason,
                revoked_by=_ACTOR,
                revoked_at=now,
                committed_at_ms=work.committed_at_ms(),
                jti=jti,
                token_hash=issuance.token_hash,
                org_id=issuance.claims.get("org_id"),
                owner_did=issuance.claims.get("owner_did"),
            )
            work.revocations.add(row)
            data = {"actor": _ACTOR, "token_hash": row.token_hash, "jti": jti, "sequence": row.sequence, "reason": reason}
            work.events.put(Event(new_id("evt"), events.TOKEN_REVOKED, now, data))


def _of_owner(owner: str) -> Callable[[Issuance], bool]:
    return lambda row: row.claims.get("owner_did") == owner


def _with_scopes(lost: str) -> Callable[[Issuance], bool]:
    gone = lost.split(" ")
    return lambda row: any(scopes.covers(held, one) for held in row.claims["scope"] for one in gone)


def _any(_: str) -> Callable[[Issuance], bool]:
    return lambda row: True


_FITS: dict[str, Callable[[str], Callable[[Issuance], bool]]] = {
    "sub": _any,
    "controller_owner": _of_owner,
    "controller_scopes": _with_scopes,
}
