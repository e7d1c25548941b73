"""Answer what a token is worth now, its binding to the request, and its transitions (tokens.md §3). Writes nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from clawscope.issuer.domain.errors import TRANSITION_UNKNOWN
from clawscope.issuer.usecases.read_token import Read, ReadToken
from clawscope.kernel.clock import iso_ms
from clawscope.kernel.errors import Refusal
from clawscope.protocol import matrix
from clawscope.protocol.binding import Expectation, check
from clawscope.protocol.codes import TOKEN_REVOKED
from clawscope.protocol.verdict import Denied

NOT_ACTIVE = {"active": False}


class IntrospectToken:
    """`/v1/tokens/introspect` and its matrix."""

    def __init__(self, read: ReadToken) -> None:
        self._read = read

    async def __call__(self, token: str, expect: Expectation | None) -> dict[str, Any]:
        """The answer of §3.1. Raises the code of §1.3 or §3.2 with `active: false`."""
        read = await self._judged(token)
        if read.hit is None and expect is not None:
            bound = check(read.verified.claims, expect)
            if isinstance(bound, Denied):
                raise refusal_of(bound)
        return _answer(read)

    async def matrix(self, token: str, transition: str | None) -> dict[str, Any]:
        """The answer of §3.3; every entry of a revoked token is denied. Raises `TRANSITION_UNKNOWN` and the codes of §1.3."""
        if transition is not None and transition not in matrix.TRANSITIONS:
            raise TRANSITION_UNKNOWN("transition", fix="one of " + ", ".join(matrix.TRANSITIONS), extra=NOT_ACTIVE)
        read = await self._judged(token)
        revoked = read.hit is not None
        entries = matrix.judge(read.verified.claims, revoked=revoked)
        answer: dict[str, Any] = {
            "active": not revoked,
            "revoked": revoked,
            "token_hash": read.verified.token_hash,
            "transition": transition,
            "transition_result": entries[transition] if transition is not None else None,
            "matrix": entries,
            "kid": read.verified.kid,
            "kid_source": read.verified.kid_source,
        }
        if revoked:
            answer |= {"error": TOKEN_REVOKED.name, "message": TOKEN_REVOKED.message}
        return answer

    async def _judged(self, token: str) -> Read:
        read = await self._read(token)
        if isinstance(read, Denied):
            raise refusal_of(read)
        return read


def refusal_of(denied: Denied) -> Refusal:
    """A verification's denial as introspection answers it: problem body plus `active: false`, and `field` where one is at fault."""
    extra: dict[str, Any] = {"active": False}
    if denied.field is not None:
        extra["field"] = denied.field
    return denied.code(denied.detail, extra=extra)


def _answer(read: Read) -> dict[str, Any]:
    verified = read.verified
    answer: dict[str, Any] = {"active": read.hit is None}
    if read.hit is not None:
        answer["revoked"] = True
    answer["token_hash"] = verified.token_hash
    answer |= msgspec.to_builtins(verified.claims)
    answer |= {"kid": verified.kid, "kid_source": verified.kid_source}
    if read.hit is not None and read.hit.revoked_at is not None:
        answer |= {"revoked_at": read.hit.revoked_at, "revoked_at_iso": iso_ms(read.hit.revoked_at), "revoked_by_kind": read.hit.kind}
    return answer
