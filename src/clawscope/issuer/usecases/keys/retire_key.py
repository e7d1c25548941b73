"""Take a key out of use for ever: past its cut-off, or before it ever signed (keys.md §1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clawscope.issuer.domain.key_moves import plan_retirement
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import RETIRED
from clawscope.issuer.ports import Store, Work
from clawscope.issuer.usecases.keys.append_snapshot import AppendSnapshot
from clawscope.issuer.usecases.keys.make_moves import Why, as_plan, find_key, make_moves, read_why, run_move
from clawscope.issuer.usecases.keys.prepare_key import refuse_read_only
from clawscope.issuer.usecases.keys.vault import Vault
from clawscope.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Retired:
    """A key that is accepted no longer."""

    kid: str
    state: str


class RetireKey:
    """One transaction: row, snapshot, event."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, rules: KeyRules) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._append = AppendSnapshot(vault, rules)

    async def __call__(self, actor: str, kid: str, reason: str) -> Retired:
        """Retire. Raises `KEYS_READ_ONLY`, `KEY_NOT_FOUND`, `KEY_STILL_NEEDED`, `KEY_STATE_CONFLICT`, store codes."""
        why = read_why(actor, reason)
        refuse_read_only(self._rules)
        return await run_move(self._store, self._clock, why, kid, lambda work: self._record(work, kid, why))

    async def dry_run(self, kid: str) -> list[dict[str, Any]]:
        """The plan, nothing done. Raises as the retirement itself."""
        refuse_read_only(self._rules)
        return as_plan([await self._store.read(lambda work: plan_retirement(find_key(work, kid), self._clock.now()))])

    def _record(self, work: Work, kid: str, why: Why) -> Retired:
        now = self._append.moment(work, self._clock.now())
        make_moves(work, [plan_retirement(find_key(work, kid), now)], why)
        self._append(work, "retired", now)
        return Retired(kid, RETIRED)
