"""Withdraw a key in an emergency: every token of it dies at the commit, and another key signs at once (keys.md §5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from clawscope.issuer.domain.feed import KEY, NEVER, FeedRow
from clawscope.issuer.domain.key_moves import Move, plan_revocation, replacement_of
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import ACTIVE, PREPARED, REVOKED, KeyRecord
from clawscope.issuer.ports import Store, Work
from clawscope.issuer.usecases.keys.append_snapshot import AppendSnapshot
from clawscope.issuer.usecases.keys.make_moves import Why, activated, add_key, as_plan, find_key, hold, make_moves, read_why, run_move
from clawscope.issuer.usecases.keys.prepare_key import new_record
from clawscope.issuer.usecases.keys.vault import Vault
from clawscope.kernel.clock import Clock
from clawscope.protocol.key_snapshot import Reason


@dataclass(frozen=True, slots=True)
class RevokedKey:
    """What a revocation came to; `sequence` is that of the feed row, `effective_within_s` the bound for verifiers."""

    status: str
    kid: str
    sequence: int
    replacement_kid: str | None
    live_tokens_killed: int
    effective_within_s: int


class RevokeKey:
    """One transaction: row, feed row, replacement, snapshot, events. Holds over a configuration that still lists the key."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, rules: KeyRules, *, effective_within_s: int) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._rules = rules
        self._within_s = effective_within_s
        self._append = AppendSnapshot(vault, rules)

    async def __call__(self, actor: str, kid: str, reason: str) -> RevokedKey:
        """Revoke. Raises `KEY_NOT_FOUND`, `KEY_STATE_CONFLICT` (retired), `SIGNING_NOT_CONFIGURED` (no other statement key)."""
        why = read_why(actor, reason)
        return await run_move(self._store, self._clock, why, kid, lambda work: self._record(work, kid, why))

    async def dry_run(self, kid: str) -> tuple[list[dict[str, Any]], int]:
        """The plan and how many live tokens would end. Raises `KEY_NOT_FOUND`, `KEY_STATE_CONFLICT`."""
        now = self._clock.now()

        def plan(work: Work) -> tuple[list[Move], int]:
            key = find_key(work, kid)
            moves = [] if key.state == REVOKED else [plan_revocation(key, now)]
            if key.state == ACTIVE:
                successor = self._successor(work, key)
                if successor is not None or not self._rules.from_config:
                    known = successor.kid if successor else None
                    moves.append(Move(known, key.purpose, PREPARED if successor else None, ACTIVE, now, delay_waived=True))
            return moves, work.issuances.live_of_kid(kid, now) if moves else 0

        moves, killed = await self._store.read(plan)
        return as_plan(moves), killed

    def _record(self, work: Work, kid: str, why: Why) -> RevokedKey:
        now = self._append.moment(work, self._clock.now())
        key = find_key(work, kid)
        if key.state == REVOKED:
            row = work.revocations.key_row(kid)
            return RevokedKey("already_revoked", kid, row.sequence if row else 0, None, 0, self._within_s)
        move = plan_revocation(key, now)
        # Issues under this key end first, so that their tokens are counted; later ones find it withdrawn.
        hold(work, key)
        killed = work.issuances.live_of_kid(kid, now)
        sequence = work.revocations.next_sequence()
        make_moves(work, [move], why, sequence=sequence)
        work.revocations.add(
            FeedRow(
                sequence=sequence,
                kind=KEY,
                exp=NEVER,
                reason=why.reason,
                revoked_by=why.actor,
                revoked_at=now,
                committed_at_ms=work.committed_at_ms(),
                kid=kid,
            )
        )
        replacement = self._replace(work, key, now, why) if key.state == ACTIVE else None
        self._append(work, _reason(key), now)
        return RevokedKey("revoked", kid, sequence, replacement, killed, self._within_s)

    def _replace(self, work: Work, key: KeyRecord, now: int, why: Why) -> str | None:
        """Let the next key sign now, even before its delay; the kid, or `None` where a configuration lists no other."""
        successor = self._successor(work, key)
        if successor is not None:
            early = now < successor.activatable_at
            make_moves(work, [Move(successor.kid, key.purpose, PREPARED, ACTIVE, now, delay_waived=early)], why)
            return successor.kid
        if self._rules.from_config:
            return None
        made = new_record(self._vault.make(key.purpose, None, now), key.purpose, now, self._rules, why.reason)
        add_key(work, replace(activated(made, now), delay_waived=True), why)
        return made.kid

    def _successor(self, work: Work, key: KeyRecord) -> KeyRecord | None:
        return replacement_of((record for record in work.keys.all() if self._vault.private(record) is not None), key.purpose)


def _reason(key: KeyRecord) -> Reason:
    return "statement_kid_changed" if key.purpose == "statement" and key.state == ACTIVE else "revoked"
