"""This process's view of revocations and keys, brought up to the store's newest commit before anything is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from clawscope.issuer.domain.feed import KEY
from clawscope.issuer.domain.keyring import Keyring
from clawscope.issuer.ports import Store, Watermark, Work
from clawscope.kernel.clock import Clock
from clawscope.kernel.errors import Refusal
from clawscope.kernel.principal import Principal
from clawscope.protocol.claims import Claims
from clawscope.protocol.codes import REVOCATION_UNAVAILABLE
from clawscope.protocol.revocation import Record, RevocationView

_PAGE = 20_000
_MOST_PAUSE_MS = 2000
# As in `RevocationView.forget_before`: an hour's jump of the clock backwards must revive nothing.
_BACK_S = 3660

LoadKeyring = Callable[[Work], Keyring]


class CurrentView:
    """`View` on the store: one watermark read per request (shared by concurrent ones), then the gap, if any."""

    def __init__(self, store: Store, watermark: Watermark, load_keyring: LoadKeyring, clock: Clock) -> None:
        self._store = store
        self._watermark = watermark
        self._load_keyring = load_keyring
        self._clock = clock
        self._catching_up: asyncio.Lock = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []
        self.revocations = RevocationView()
        self.keyring = Keyring(-1, [], {})
        self.any_locks = False
        self.confirmed_at_ms = 0

    @property
    def known(self) -> CurrentView:
        """See `View.known`."""
        return self

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` in the event loop after new rows were applied."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Load everything that may still hit a live token. Raises store refusals."""
        since = self._clock.now() - _BACK_S

        def load(work: Work) -> tuple[RevocationView, Keyring]:
            head = work.revocations.head()
            records: list[Record] = []
            after = 0
            while rows := work.revocations.still_hitting(since, after, _PAGE):
                records += [row.effect() for row in rows]
                after = rows[-1].sequence
            return RevocationView.at(head, records), self._load_keyring(work)

        self.revocations, self.keyring = await self._store.read(load)
        self.confirmed_at_ms = self._clock.now_ms()

    async def fresh(self) -> CurrentView:
        """See `View.fresh`."""
        # Seen before the read: other requests may move the view on while this one waits for its watermark.
        seen = self.revocations.sequence
        try:
            revoked, keys, self.any_locks = await self._watermark()
            if revoked > self.revocations.sequence or keys > self.keyring.sequence:
                await self._catch_up(revoked, keys)
        except (Refusal, LookupError) as error:
            raise REVOCATION_UNAVAILABLE("retry in a second") from error
        if revoked < seen:
            # The store lost commits this process has seen (a restored backup): nothing here may be trusted to be complete.
            raise REVOCATION_UNAVAILABLE("the store is behind this process; restart after merging the feed")
        self.confirmed_at_ms = self._clock.now_ms()
        return self

    def is_revoked(self, reader: Principal) -> bool:
        """Whether the token a caller presented was revoked meanwhile."""
        claims = msgspec.convert(dict(reader.claims), Claims)
        return self.revocations.hit(claims, reader.token_hash or "") is not None

    def forget(self) -> int:
        """Drop revocations that can hit no live token any more."""
        return self.revocations.forget_before(self._clock.now())

    async def _catch_up(self, revoked: int, keys: int) -> None:
        async with self._catching_up:
            while self.revocations.sequence < revoked or self.keyring.sequence < keys:
                seen, had = self.revocations.sequence, self.keyring.sequence

                def gap(work: Work, seen: int = seen, had: int = had) -> tuple[list[Any], Keyring | None]:
                    rows = work.revocations.since(seen, _PAGE)
                    stale = had < work.snapshots.head() or any(row.kind == KEY for row in rows)
                    return rows, self._load_keyring(work) if stale else None

                rows, keyring = await self._store.read(gap)
                # Keys before rows: who sees a key's revocation must not still sign with it.
                if keyring is not None:
                    self.keyring = keyring
                for row in rows:
                    self.revocations.apply(row.effect())
                if not rows and keyring is None:
                    raise LookupError("the watermark is ahead of the feed")
        for listener in self._listeners:
            listener()


class TimePause:
    """`Pause` on the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def until_after(self, second: int) -> None:
        """Return once the clock shows a later second, or after as long as that should have taken."""
        left_ms = (second + 1) * 1000 - self._clock.now_ms()
        await asyncio.sleep(max(0, min(left_ms, _MOST_PAUSE_MS)) / 1000)
