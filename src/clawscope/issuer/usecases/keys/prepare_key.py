"""Make a key and publish it; it does not sign yet (keys.md §3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clawscope.issuer.domain.key_errors import KEYS_READ_ONLY
from clawscope.issuer.domain.key_material import refuse_kid, refuse_known
from clawscope.issuer.domain.key_moves import plan_new
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import PREPARED, KeyRecord
from clawscope.issuer.ports import Store, Work
from clawscope.issuer.usecases.keys.append_snapshot import AppendSnapshot
from clawscope.issuer.usecases.keys.make_moves import Why, add_key, as_plan, read_why, run_move
from clawscope.issuer.usecases.keys.vault import MadeKey, Vault
from clawscope.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Prepared:
    """A published key and the epoch second from which it may sign."""

    kid: str
    state: str
    published_at: int
    activatable_at: int


class PrepareKey:
    """One transaction: row, snapshot, event."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, rules: KeyRules) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._rules = rules
        self._append = AppendSnapshot(vault, rules)

    async def __call__(self, actor: str, purpose: str, kid: str | None, reason: str) -> Prepared:
        """Prepare. Raises `KEYS_READ_ONLY`, `KEY_INVALID`, `KID_TAKEN`, `INVALID_REQUEST` for a blank reason, store codes."""
        why = read_why(actor, reason)
        refuse_read_only(self._rules)
        if kid is not None:
            refuse_kid(kid)
        now = self._clock.now()
        made = self._vault.make(purpose, kid, now)

        def record(work: Work) -> Prepared:
            return self.record(work, made, purpose, now, why)

        return await run_move(self._store, self._clock, why, kid, record)

    async def dry_run(self, purpose: str, kid: str | None) -> list[dict[str, Any]]:
        """The plan, nothing done. Raises `KEYS_READ_ONLY`, `KEY_INVALID`, `KID_TAKEN`."""
        refuse_read_only(self._rules)
        if kid is not None:
            refuse_kid(kid)
            named = kid
            await self._store.read(lambda work: refuse_known(work.keys.all(), named, b""))
        return as_plan([plan_new(purpose, kid, self._clock.now(), self._rules)])

    def record(self, work: Work, made: MadeKey, purpose: str, now: int, why: Why, *, auto_activate: bool = False) -> Prepared:
        """Write a made key within a transaction."""
        now = self._append.moment(work, now)
        refuse_known(work.keys.all(), made.kid, made.public)
        key = new_record(made, purpose, now, self._rules, why.reason, auto_activate=auto_activate)
        add_key(work, key, why)
        self._append(work, "prepared", now)
        return Prepared(key.kid, key.state, key.published_at, key.activatable_at)


def refuse_read_only(rules: KeyRules) -> None:
    """Raises `KEYS_READ_ONLY` while keys come from configuration."""
    if rules.from_config:
        raise KEYS_READ_ONLY("list the key in the configuration instead")


def new_record(made: MadeKey, purpose: str, now: int, rules: KeyRules, reason: str, *, auto_activate: bool = False) -> KeyRecord:
    """The row of a managed key, published now."""
    return KeyRecord(
        kid=made.kid,
        purpose=purpose,
        state=PREPARED,
        public=made.public,
        source="managed",
        position=now,
        sealed=made.sealed,
        created_at=made.created_at,
        published_at=now,
        activatable_at=now + rules.publish_delay_s,
        activated_at=None,
        not_after_unix=None,
        delay_waived=False,
        auto_activate=auto_activate,
        reason=reason,
    )
