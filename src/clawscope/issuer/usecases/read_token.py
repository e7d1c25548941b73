"""Judge a presented token: verification, then revocation by everything committed before the request (tokens.md §1.3, §4.4)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from clawscope.issuer.ports import View
from clawscope.kernel.clock import Clock
from clawscope.protocol.codes import TOKEN_REVOKED
from clawscope.protocol.digest import sha256_hex
from clawscope.protocol.revocation import Hit
from clawscope.protocol.verdict import Denied
from clawscope.protocol.verify_token import Rules, Verified, still_good, verify


@dataclass(frozen=True, slots=True)
class Read:
    """A token whose signature and claims hold; `hit` says why it is revoked, if it is."""

    verified: Verified
    hit: Hit | None


class VerifiedCache:
    """Tokens that passed steps 1 to 12, by hash of their text, oldest use out first. Revocation state is never kept."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._kept: OrderedDict[str, Verified] = OrderedDict()

    def get(self, token_hash: str) -> Verified | None:
        """The verified token of a hash."""
        found = self._kept.get(token_hash)
        if found is not None:
            self._kept.move_to_end(token_hash)
        return found

    def put(self, verified: Verified) -> None:
        """Keep a verified token."""
        if self._entries == 0:
            return
        self._kept[verified.token_hash] = verified
        if len(self._kept) > self._entries:
            self._kept.popitem(last=False)

    def drop(self, token_hash: str) -> None:
        """Forget one that is past its time."""
        self._kept.pop(token_hash, None)


class ReadToken:
    """The one way the issuer reads a token: for introspection, protected routes, exchange."""

    def __init__(self, view: View, clock: Clock, rules: Rules, cache: VerifiedCache) -> None:
        self._view = view
        self._clock = clock
        self._rules = rules
        self._cache = cache

    async def __call__(self, token: str) -> Read | Denied:
        """Steps 1 to 13. Raises 503 `REVOCATION_UNAVAILABLE` when revocation state cannot be read; never a pass then."""
        known = await self._view.fresh()
        keys = known.keyring.key_set if known.keyring.key_set.entries else None
        now = self._clock.now()
        token_hash = sha256_hex(token.encode("utf-8", "surrogatepass"))
        verified = self._cache.get(token_hash)
        if verified is not None:
            denied = still_good(verified, keys, self._rules, now)
            if denied is not None:
                self._cache.drop(token_hash)
                return denied
        else:
            judged = verify(token, keys, self._rules, now)
            if isinstance(judged, Denied):
                return judged
            verified = judged
            self._cache.put(verified)
        return Read(verified, known.revocations.hit(verified.claims, verified.token_hash))

    async def live(self, token: str) -> Verified | Denied:
        """Like calling, but a revoked token is denied with `TOKEN_REVOKED`."""
        read = await self(token)
        if isinstance(read, Denied):
            return read
        return Denied(TOKEN_REVOKED) if read.hit is not None else read.verified
