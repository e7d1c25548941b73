"""Let a published key sign; the former one stays accepted until its last token has ended (keys.md §1, §3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clawscope.issuer.domain.key_errors import KEY_LOG_UNAVAILABLE
from clawscope.issuer.domain.key_moves import Activation, active_of, plan_activation
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import KeyRecord
from clawscope.issuer.ports import Store, TransparencyLog, Work
from clawscope.issuer.usecases.keys.append_snapshot import AppendSnapshot, Snapshot
from clawscope.issuer.usecases.keys.make_moves import Why, as_plan, find_key, hold, make_moves, read_why, run_move
from clawscope.issuer.usecases.keys.prepare_key import refuse_read_only
from clawscope.issuer.usecases.keys.publish_key_leaves import LOG_ID, leaf_of
from clawscope.issuer.usecases.keys.vault import Vault
from clawscope.kernel.clock import Clock
from clawscope.kernel.errors import Refusal

_PAGE = 100


@dataclass(frozen=True, slots=True)
class Activated:
    """Who signs now, who did before, and until when tokens of the former key are accepted."""

    active_kid: str
    former_kid: str | None
    not_after_unix: int | None


class ActivateKey:
    """Waits for the key's inclusion in the transparency log, where one is connected; then one transaction."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, rules: KeyRules, log: TransparencyLog | None) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._log = log
        self._append = AppendSnapshot(vault, rules)

    async def __call__(self, actor: str, kid: str, reason: str) -> Activated:
        """Activate. Raises `KEYS_READ_ONLY`, `KEY_NOT_FOUND`, `KEY_STATE_CONFLICT`, `KEY_NOT_READY`, `KEY_LOG_UNAVAILABLE`."""
        why = read_why(actor, reason)
        refuse_read_only(self._rules)
        # Judged before the log is asked: that a key is not ready is not the log's fault.
        await run_move(self._store, self._clock, why, kid, lambda work: self._plan(work, kid, self._clock.now()))
        await self._wait_for_log(kid)
        return await run_move(self._store, self._clock, why, kid, lambda work: self._record(work, kid, why))

    async def dry_run(self, kid: str) -> list[dict[str, Any]]:
        """The plan, nothing done. Raises as the activation itself."""
        refuse_read_only(self._rules)
        return as_plan((await self._store.read(lambda work: self._plan(work, kid, self._clock.now()))).moves)

    def _record(self, work: Work, kid: str, why: Why) -> Activated:
        now = self._append.moment(work, self._clock.now())
        key = find_key(work, kid)
        former = active_of(work.keys.all(), key.purpose)
        if former is not None:
            # Issues under the former key end before its latest expiry is read; later ones find it inactive.
            hold(work, former)
        plan = self._plan(work, kid, now)
        make_moves(work, plan.moves, why)
        self._append(work, "statement_kid_changed" if key.purpose == "statement" else "activated", now)
        return Activated(kid, plan.former_kid, plan.not_after_unix)

    def _plan(self, work: Work, kid: str, now: int) -> Activation:
        return plan_activation(work.keys.all(), find_key(work, kid), now, self._rules, work.issuances.latest_exp)

    async def _wait_for_log(self, kid: str) -> None:
        if self._log is None:
            return

        def published(work: Work) -> Snapshot | None:
            return _publication(work, find_key(work, kid))

        snapshot = await self._store.read(published)
        try:
            included = snapshot is not None and await self._log.includes(LOG_ID, leaf_of(snapshot))
        except Refusal as refusal:
            raise KEY_LOG_UNAVAILABLE("the log does not answer; retry in a moment") from refusal
        if not included:
            raise KEY_LOG_UNAVAILABLE("the log has not included the key yet; retry in a moment")


def _publication(work: Work, key: KeyRecord) -> Snapshot | None:
    """The snapshot that first told of a key."""
    found: Snapshot | None = None
    before: int | None = None
    while page := work.snapshots.page(before, None, _PAGE):
        for snapshot in page:
            if snapshot["generated_at"] < key.published_at:
                return found
            if key.purpose != "token" or key.kid in snapshot["accepted_kids"]:
                found = snapshot
        before = page[-1]["sequence"]
    return found
