"""Bring the key rows to what the configuration lists: at start, at a reload, and when a listed key has waited enough (keys.md §3)."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.issuer.domain.configured_keys import ConfiguredKeys, FaultyKeys
from clawscope.issuer.domain.configured_plan import ConfiguredPlan, mismatches, plan_statement, plan_tokens
from clawscope.issuer.domain.key_moves import active_of
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import ACTIVE
from clawscope.issuer.ports import Work
from clawscope.issuer.usecases.keys.append_snapshot import AppendSnapshot
from clawscope.issuer.usecases.keys.make_moves import Why, add_key, find_key, hold, make_moves
from clawscope.protocol.key_snapshot import Reason


@dataclass(frozen=True, slots=True)
class Followed:
    """What following the configuration came to: the newest snapshot's sequence, how many were appended, what to warn of."""

    sequence: int
    appended: int
    warnings: tuple[str, ...]


class FollowConfiguration:
    """A plain function of a transaction."""

    def __init__(self, append: AppendSnapshot, rules: KeyRules) -> None:
        self._append = append
        self._rules = rules

    def __call__(self, work: Work, listed: ConfiguredKeys, now: int, reason: Reason, why: Why) -> Followed:
        """Make every move the configuration asks for, in this order. Raises `FaultyKeys` if it contradicts a known kid or key.

        1. where the standing token key cannot countersign any more, it steps back first. 2. the statement key. 3. the token
        keys. 4. keys dropped before their cut-off, which only an entry at a start may show.
        """
        now = self._append.moment(work, now)
        before = work.snapshots.take()
        for record in work.keys.all():
            if record.purpose == "token" and record.state == ACTIVE:
                hold(work, record)
        records = work.keys.all()
        faults = mismatches(records, listed)
        if faults:
            raise FaultyKeys(faults)
        tokens = plan_tokens(records, listed, now, self._rules, work.issuances.latest_exp)
        statement = plan_statement(records, listed.statement, now, self._rules) if listed.statement else ConfiguredPlan()
        steps_first = statement.activation is not None and not self._append.can_sign(active_of(records, "token"))
        if steps_first:
            _step_back(work, tokens, why)  # 1
        self._follow_statement(work, statement, now, why, log=before > 0)  # 2
        if not steps_first:
            _step_back(work, tokens, why)  # 3
        self._follow_tokens(work, tokens, now, reason, why, starts=before == 0 and statement.activation is not None)
        after = work.snapshots.take()
        return Followed(after, after - before, tuple(statement.warnings + tokens.warnings))

    def _follow_statement(self, work: Work, plan: ConfiguredPlan, now: int, why: Why, *, log: bool) -> None:
        _step_back(work, plan, why)
        _activate(work, plan, why)
        if log and plan.activation is not None:
            self._append(work, "statement_kid_changed", now)

    def _follow_tokens(self, work: Work, plan: ConfiguredPlan, now: int, reason: Reason, why: Why, *, starts: bool) -> None:
        _activate(work, plan, why)
        make_moves(work, plan.retirements, why)
        waived = plan.activation is not None and plan.activation.delay_waived
        if waived:
            self._append(work, "delay_waived", now)
        make_moves(work, plan.early, why)  # 4
        if plan.early or starts or (plan.is_any and not waived):
            self._append(work, reason, now)


def _step_back(work: Work, plan: ConfiguredPlan, why: Why) -> None:
    for record in plan.added:
        add_key(work, record, why)
    make_moves(work, plan.steps_back, why)
    for record, changes in plan.changed:
        state = find_key(work, record.kid).state
        work.keys.move(record.kid, state, state, **changes)


def _activate(work: Work, plan: ConfiguredPlan, why: Why) -> None:
    if plan.activation is not None:
        make_moves(work, [plan.activation], why)
