"""Issue a token for a judged request (tokens.md §2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from clawscope.issuer.domain.caller import Caller
from clawscope.issuer.domain.decision import expiry
from clawscope.issuer.domain.drafting import Draft, caller_ids, claims_of
from clawscope.issuer.domain.grants import Grants, grants_of
from clawscope.issuer.domain.request import CANONICAL, LEGACY, Asked, FieldLimits, IssueFields, read_request
from clawscope.issuer.usecases.judge_request import Judged, JudgeRequest
from clawscope.issuer.usecases.mint_token import Also, MintToken
from clawscope.protocol.token import Minted

MIGRATION_NOTICE = "The legacy lane is for migration only: it issues no sensitive scopes. Move to /v1/tokens/issue/canonical."


@dataclass(frozen=True, slots=True)
class Profile:
    """How this issuer writes tokens: its URL, the claim profile, and the mode its legacy answers report."""

    issuer_url: str
    claim_profile: str
    legacy_exchange_mode: str


class IssueToken:
    """Reads, judges, mints."""

    def __init__(self, judge: JudgeRequest, mint: MintToken, limits: FieldLimits, profile: Profile) -> None:
        self._judge = judge
        self._mint = mint
        self._limits = limits
        self._profile = profile

    async def __call__(self, caller: Caller, lane: str, fields: IssueFields) -> dict[str, Any]:
        """The answer of §2.5. Raises the first refusal in the order of §2.2."""
        asked = read_request(fields, lane, self._limits).with_chain_default()  # 3, 4
        return await self.asked(caller, asked, grants_of(caller.principal))

    async def asked(
        self, caller: Caller, asked: Asked, grants: Grants, *, also: Also | None = None, approved_by: str | None = None
    ) -> dict[str, Any]:
        """Issue for a request already read (steps 5 to 12)."""
        judged = await self._judge(asked, grants, approved=approved_by is not None)  # 5–9
        if judged.denials:
            raise judged.denials[0].refusal()
        draft = self.draft(asked, judged, grants, approved_by)
        minted = await self._mint(draft, caller, lambda made: self.kept(made, draft), also=also)  # 10–12
        return {"token": minted.token, **self.kept(minted, draft)}

    def draft(self, asked: Asked, judged: Judged, grants: Grants, approved_by: str | None = None) -> Draft:
        """What is to be minted for a judged request."""
        ground = judged.ground
        tier = ground.tier
        assert tier is not None  # a missing tier is the first denial
        return Draft(
            claims=claims_of(asked, judged.record, grants, issuer_url=self._profile.issuer_url, claim_profile=self._profile.claim_profile),
            expires=lambda iat: expiry(asked, ground, tier, iat),
            policy_version=ground.policy.version,
            policy_tier=ground.tier_name,
            chain_verified=asked.lane == CANONICAL,
            evidence_required=asked.evidence_required,
            ids=caller_ids(grants),
            approval_receipt_id=approved_by,
        )

    def kept(self, minted: Minted, draft: Draft) -> dict[str, Any]:
        """The answer without its token: what an Idempotency-Key keeps."""
        claims: Mapping[str, Any] = msgspec.to_builtins(minted.claims)
        answer: dict[str, Any] = {
            "token_hash": minted.token_hash,
            "token_lane": claims["token_lane"],
            "token_scope_hash_b64u": claims["token_scope_hash_b64u"],
            "policy_version": draft.policy_version,
            "policy_tier": draft.policy_tier,
            "kid": minted.kid,
        }
        shown = (
            "iat",
            "exp",
            "jti",
            "owner_did",
            "controller_did",
            "agent_did",
            "control_plane_policy_hash_b64u",
            "mission_id",
            "run_id",
            "job_id",
            "spend_cap",
        )
        answer |= {name: claims[name] for name in shown if name in claims}
        answer["claims"] = claims
        if claims["token_lane"] == LEGACY:
            mode = self._profile.legacy_exchange_mode
            answer |= {"legacy_exchange_mode": mode, "migration_notice": MIGRATION_NOTICE if mode == "migration" else None}
        return answer
