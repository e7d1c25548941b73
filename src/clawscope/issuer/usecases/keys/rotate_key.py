"""Replace a key in an orderly way: publish its successor now, let it sign once everybody can know it (keys.md §3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clawscope.issuer.domain.key_moves import Move, active_of, plan_new, refuse_second_rotation
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import ACTIVE, PREPARED, VERIFY_ONLY
from clawscope.issuer.ports import Store, Work
from clawscope.issuer.usecases.keys.make_moves import as_plan, read_why, run_move
from clawscope.issuer.usecases.keys.prepare_key import PrepareKey, refuse_read_only
from clawscope.issuer.usecases.keys.vault import Vault
from clawscope.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Rotating:
    """A rotation under way; `not_after_unix` is the retiring key's cut-off as far as its tokens of today tell."""

    prepared_kid: str
    activates_at_unix: int
    retiring_kid: str | None
    not_after_unix: int | None


class RotateKey:
    """Prepares a key that the scheduled moves will activate."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, rules: KeyRules) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._rules = rules
        self._prepare = PrepareKey(store, clock, vault, rules)

    async def __call__(self, actor: str, purpose: str, reason: str) -> Rotating:
        """Begin. Raises `KEYS_READ_ONLY`, `KEY_ROTATION_IN_PROGRESS`, `INVALID_REQUEST` for a blank reason, store codes."""
        why = read_why(actor, reason)
        refuse_read_only(self._rules)
        now = self._clock.now()
        made = self._vault.make(purpose, None, now)

        def record(work: Work) -> Rotating:
            work.snapshots.take()
            refuse_second_rotation(work.keys.all(), purpose)
            prepared = self._prepare.record(work, made, purpose, now, why, auto_activate=True)
            retiring = self._retiring(work, purpose, prepared.activatable_at)
            former = (retiring.kid, retiring.not_after_unix) if retiring else (None, None)
            return Rotating(prepared.kid, prepared.activatable_at, *former)

        return await run_move(self._store, self._clock, why, None, record)

    async def dry_run(self, purpose: str) -> list[dict[str, Any]]:
        """The plan, nothing done. Raises `KEYS_READ_ONLY`, `KEY_ROTATION_IN_PROGRESS`."""
        refuse_read_only(self._rules)
        now = self._clock.now()
        at = now + self._rules.publish_delay_s

        def plan(work: Work) -> list[Move]:
            refuse_second_rotation(work.keys.all(), purpose)
            retiring = self._retiring(work, purpose, at)
            return [
                plan_new(purpose, None, now, self._rules),
                *([retiring] if retiring else []),
                Move(None, purpose, PREPARED, ACTIVE, at),
            ]

        return as_plan(await self._store.read(plan))

    def _retiring(self, work: Work, purpose: str, at: int) -> Move | None:
        active = active_of(work.keys.all(), purpose)
        if active is None:
            return None
        cut_off = self._rules.cut_off(at, work.issuances.latest_exp(active.kid))
        return Move(active.kid, purpose, ACTIVE, VERIFY_ONLY, at, cut_off)
