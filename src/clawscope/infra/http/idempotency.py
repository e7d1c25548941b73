"""Idempotency-Key: one effect and one answer per caller, route and key (tokens.md §0)."""

from __future__ import annotations

import json

import msgspec

from clawscope.infra.db.database import Database
from clawscope.infra.db.kept_answers import KeptAnswers, KeyPlace
from clawscope.infra.db.tx import Tx
from clawscope.infra.http.call import Call, Reply, Ticket
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import IDEMPOTENCY_KEY_IN_USE, IDEMPOTENCY_KEY_REUSED, INVALID_REQUEST
from clawscope.kernel.text import is_printable_ascii
from clawscope.protocol.digest import sha256_hex

_MOST_KEY = 256
# A request that has not ended after this long died with its process; its key may be used again.
_RUNNING_S = 120


class Idempotency:
    """Reserves keys, tells kept answers, drops keys of requests that were refused."""

    def __init__(self, database: Database, clock: Clock, ttl_s: int) -> None:
        self._database = database
        self._clock = clock
        self._ttl_s = ttl_s

    async def begin(self, call: Call, route: str) -> Reply | None:
        """Reserve the call's key and set its ticket; a kept answer is returned instead. Raises 409 codes, 400 for a bad key."""
        key = call.header("Idempotency-Key")
        if key is None:
            return None
        if not 1 <= len(key) <= _MOST_KEY or not is_printable_ascii(key, blanks=False):
            raise INVALID_REQUEST("Idempotency-Key is 1 to 256 visible ASCII characters", fix="use a UUID")
        body_hash = sha256_hex(call.path.encode() + b"\n" + call.raw_query + b"\n" + call.raw_body)
        ticket = Ticket(call.principal.credential, route, key, body_hash)
        kept = await self._database.transact(lambda tx: self._reserve(tx, ticket))
        if kept is None:
            call.ticket = ticket
        return kept

    async def finish(self, ticket: Ticket, reply: Reply) -> None:
        """Keep an answer that the work's own transaction did not keep."""
        text = msgspec.json.encode(reply.body).decode()
        expires_at = self._clock.now() + self._ttl_s
        await self._database.transact(lambda tx: KeptAnswers(tx).settle(_place(ticket), reply.status, text, expires_at))

    async def abandon(self, ticket: Ticket) -> None:
        """Free the key of a request that had no effect."""
        await self._database.transact(lambda tx: KeptAnswers(tx).drop(_place(ticket), only_running=True))

    async def expire(self) -> int:
        """Drop keys past their time."""
        return await self._database.transact(lambda tx: KeptAnswers(tx).expire(self._clock.now()))

    def _reserve(self, tx: Tx, ticket: Ticket) -> Reply | None:
        answers, place, now = KeptAnswers(tx), _place(ticket), self._clock.now()
        found = answers.find(place)
        if found is not None and found.expires_at > now:
            if found.body_hash != ticket.body_hash:
                raise IDEMPOTENCY_KEY_REUSED("the first request had another body", fix="use a new Idempotency-Key")
            if found.running:
                raise IDEMPOTENCY_KEY_IN_USE("retry in a second")
            return Reply(json.loads(found.answer), found.status)
        if found is not None:
            answers.drop(place)
        answers.reserve(place, ticket.body_hash, now + _RUNNING_S)
        return None


def _place(ticket: Ticket) -> KeyPlace:
    return KeyPlace(ticket.caller, ticket.route, ticket.key)
