"""Make the key set stand before the first request: managed keys are made as needed, configured ones followed (keys.md §2, §3)."""

from __future__ import annotations

from dataclasses import replace

from clawscope.issuer.domain import events
from clawscope.issuer.domain.configured_keys import ConfiguredKeys, FaultyKeys
from clawscope.issuer.domain.key_moves import Move, active_of
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import ACTIVE, VERIFY_ONLY, KeyRecord
from clawscope.issuer.ports import Store, Work
from clawscope.issuer.usecases.keys.append_snapshot import AppendSnapshot
from clawscope.issuer.usecases.keys.follow_configuration import FollowConfiguration, Followed
from clawscope.issuer.usecases.keys.make_moves import Why, activated, add_key, hold, make_moves
from clawscope.issuer.usecases.keys.prepare_key import new_record
from clawscope.issuer.usecases.keys.vault import Vault
from clawscope.kernel.clock import Clock
from clawscope.kernel.errors import Refusal
from clawscope.kernel.events import Event
from clawscope.kernel.ids import new_id

_START = Why("system:start", "start")
_RELOAD = Why("system:reload", "reload of the configuration")
MANAGED_PURPOSES = ("statement", "token")


class BootKeys:
    """Run once per process, before the view starts; safe to run in several processes at once."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, rules: KeyRules, purposes: tuple[str, ...] = MANAGED_PURPOSES) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._rules = rules
        self._purposes = purposes
        self._append = AppendSnapshot(vault, rules)
        self._follow = FollowConfiguration(self._append, rules)

    async def __call__(self) -> Followed:
        """The newest snapshot and what to warn of. Raises `FaultyKeys` (configuration), `SIGNING_CONFIG_INVALID`, store codes."""
        return await self._store.transact(self._boot)

    async def reload(self, listed: ConfiguredKeys) -> Followed:
        """Take a newly read configuration. One that contradicts what is known changes nothing, is an event, and raises `FaultyKeys`.

        While keys are managed nothing is read from a configuration, so nothing is to be done.
        """
        if not self._rules.from_config:
            return await self._store.read(lambda work: Followed(work.snapshots.head(), 0, ()))
        former = self._vault.configured
        self._vault.replace(listed)
        try:
            return await self._store.transact(lambda work: self._follow(work, listed, self._clock.now(), "boot", _RELOAD))
        except (FaultyKeys, Refusal) as fault:
            self._vault.replace(former)
            await self.refuse_reload(fault.lines if isinstance(fault, FaultyKeys) else [fault.code.name])
            raise

    async def refuse_reload(self, lines: list[str]) -> None:
        """Tell that a faulty configuration was not taken; `lines` hold no material."""
        event = Event(
            new_id("evt"), events.KEYS_RELOAD_REFUSED, self._clock.now(), {"actor": _RELOAD.actor, "reason": "; ".join(lines)[:1024]}
        )
        await self._store.transact(lambda work: work.events.put(event))

    def _boot(self, work: Work) -> Followed:
        now = self._append.moment(work, self._clock.now())
        if self._rules.from_config:
            return self._follow(work, self._vault.configured, now, "boot", _START)
        before = work.snapshots.take()
        token = active_of(work.keys.all(), "token")
        if before and not self._append.can_sign(token) and self._must_make(work, "statement"):
            # The key that would countersign the new statement key is gone: the token key changes first, unsigned by neither.
            self._step_back(work, token, now)
        if self._must_make(work, "statement"):
            self._make(work, "statement", now)
            if before:
                self._append(work, "statement_kid_changed", now)
        others = [purpose for purpose in self._purposes if purpose != "statement" and self._must_make(work, purpose)]
        waived = before > 0 and "token" in others
        for purpose in others:
            self._make(work, purpose, now)
        if others:
            self._append(work, "delay_waived" if waived else "boot", now)
        after = work.snapshots.take()
        return Followed(after, after - before, self._warnings(work.keys.all()))

    def _must_make(self, work: Work, purpose: str) -> bool:
        """Whether no key of ours is active; one that came from configuration cannot sign any more."""
        active = active_of(work.keys.all(), purpose)
        return active is None or active.sealed is None

    def _make(self, work: Work, purpose: str, now: int) -> None:
        records = work.keys.all()
        self._step_back(work, active_of(records, purpose), now)
        key = activated(new_record(self._vault.make(purpose, None, now), purpose, now, self._rules, _START.reason), now)
        waived = any(one.purpose == purpose and one.activated_at for one in records)
        add_key(work, replace(key, delay_waived=waived), _START)

    def _step_back(self, work: Work, former: KeyRecord | None, now: int) -> None:
        if former is not None:
            hold(work, former)
            cut_off = self._rules.cut_off(now, work.issuances.latest_exp(former.kid))
            make_moves(work, [Move(former.kid, former.purpose, ACTIVE, VERIFY_ONLY, now, cut_off)], _START)

    def _warnings(self, records: list[KeyRecord]) -> tuple[str, ...]:
        sealed = [record for record in records if record.state == ACTIVE and self._vault.private(record) is None]
        return tuple(f"the seed of the active {record.purpose} key does not open; check the master key" for record in sealed)
