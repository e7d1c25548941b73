"""Judge a request by tier, lane, chain and caller: the one decision of issue and preflight (tokens.md §2.2, steps 5 to 9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from clawscope.issuer.domain import errors
from clawscope.issuer.domain.chain import ChainRecord
from clawscope.issuer.domain.decision import Ground, IssueRules, after_lane, before_lane, judge_lane, judge_record
from clawscope.issuer.domain.denial import Denial
from clawscope.issuer.domain.grants import Grants
from clawscope.issuer.domain.request import CANONICAL, Asked
from clawscope.issuer.ports import Chains, PolicyBook, Tiers
from clawscope.kernel.clock import Clock
from clawscope.kernel.errors import Refusal


@dataclass(slots=True)
class Judged:
    """The ground stood on, every denial found (or the first), and the chain record where one was read."""

    ground: Ground
    denials: list[Denial] = field(default_factory=list)
    record: ChainRecord | None = None


class JudgeRequest:
    """Collects denials; for an issue it stops at the first, for a preflight it goes on."""

    def __init__(self, tiers: Tiers, chains: Chains, policies: PolicyBook | None, rules: IssueRules, clock: Clock) -> None:
        self._tiers = tiers
        self._chains = chains
        self._policies = policies
        self._rules = rules
        self._clock = clock

    async def __call__(self, asked: Asked, grants: Grants, *, every: bool = False, approved: bool = False) -> Judged:
        """Judge. Raises 502 and 503 refusals of what it depends on; a missing chain is a denial."""
        policy = await self._tiers.active()
        name = asked.tier if asked.tier is not None else self._rules.policy_tier
        ground = Ground(self._rules, policy, name, policy.get(name), grants, self._clock.now(), approved)
        judged = Judged(ground)
        if _gather(judged, before_lane(asked, ground, policy_known=await self._is_known(asked)), every):  # 5, 6
            return judged
        if _gather(judged, judge_lane(asked, ground), every):  # 7
            return judged
        if asked.lane == CANONICAL and None not in (asked.owner_did, asked.controller_did, asked.agent_did):
            await self._judge_chain(asked, judged, every)
            if judged.denials and not every:
                return judged
        _gather(judged, after_lane(asked, ground), every)  # 8, 9
        return judged

    async def _judge_chain(self, asked: Asked, judged: Judged, every: bool) -> None:
        try:
            judged.record = await self._chains.chain(asked.controller_did or "", asked.agent_did or "")
        except Refusal as refusal:
            if refusal.code is not errors.CONTROL_CHAIN_NOT_FOUND:
                raise
            judged.denials.append(
                Denial(refusal.code, "controller_did", "register the controller and the agent first", details=refusal.details)
            )
            return
        _gather(judged, judge_record(asked, judged.ground, judged.record), every)

    async def _is_known(self, asked: Asked) -> bool:
        if asked.policy_hash_b64u is None or not self._rules.require_known_policy:
            return True
        return self._policies is not None and await self._policies.knows(asked.policy_hash_b64u)


def _gather(judged: Judged, denials: Iterable[Denial], every: bool) -> bool:
    """Take denials over; True when the judging ends here."""
    for denial in denials:
        judged.denials.append(denial)
        if not every:
            return True
    return False
