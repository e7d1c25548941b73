"""Exchange a live token for a narrower child (tokens.md §9)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clawscope.issuer.domain import errors, events
from clawscope.issuer.domain.caller import Caller
from clawscope.issuer.domain.decision import Ground, IssueRules, before_lane, judge_record
from clawscope.issuer.domain.drafting import Draft
from clawscope.issuer.domain.exchange import Narrowing, as_asked, narrowed
from clawscope.issuer.domain.grants import Grants
from clawscope.issuer.domain.issuance import Issuance
from clawscope.issuer.domain.request import CANONICAL, Asked
from clawscope.issuer.ports import Chains, Store, Tiers, Work
from clawscope.issuer.usecases.mint_token import MintToken
from clawscope.issuer.usecases.read_token import ReadToken
from clawscope.kernel.clock import Clock
from clawscope.kernel.principal import Principal
from clawscope.protocol import scope as scopes
from clawscope.protocol.claims import Claims
from clawscope.protocol.token import Minted
from clawscope.protocol.verdict import Denied
from clawscope.protocol.verify_token import Verified

ISSUED_TYPE = "urn:ietf:params:oauth:token-type:jwt"


class ExchangeToken:
    """Reads subject and actor, narrows, judges by today's tier, mints with a lineage."""

    def __init__(
        self,
        read: ReadToken,
        mint: MintToken,
        tiers: Tiers,
        chains: Chains,
        store: Store,
        clock: Clock,
        rules: IssueRules,
        *,
        max_depth: int,
        max_children: int,
    ) -> None:
        self._read = read
        self._mint = mint
        self._tiers = tiers
        self._chains = chains
        self._store = store
        self._clock = clock
        self._rules = rules
        self._max_depth = max_depth
        self._max_children = max_children

    async def __call__(self, caller: Caller, subject_token: str, actor_token: str | None, asked: Narrowing) -> dict[str, Any]:
        """The answer of §9. Raises the `EXCHANGE_*` codes, the tier's and the chain's, and the code of a dead subject or actor."""
        subject = await self._live(subject_token)
        actor = await self._live(actor_token) if actor_token is not None else None
        claims = subject.claims
        now = self._clock.now()
        child, expires = narrowed(
            claims, actor.claims if actor else None, asked, now=now, default_ttl_s=self._rules.default_ttl_s, max_depth=self._max_depth
        )
        if expires <= now:
            raise errors.TTL_EXPIRED("the subject token ends now")
        parent = await self._store.look(lambda work: work.issuances.by_jti(claims.jti or ""))
        draft = await self._draft(child, expires, parent, claims, now)
        acting = replace(caller, principal=_acting_principal(caller.principal, parent, subject))
        minted = await self._mint(draft, acting, lambda made: {}, event=events.TOKEN_EXCHANGED, also=self._limit(claims.jti or ""))
        return _answer(minted, now)

    async def _live(self, token: str) -> Verified:
        judged = await self._read.live(token)
        if isinstance(judged, Denied):
            raise judged.code(judged.detail)
        return judged

    async def _draft(self, child: dict[str, Any], expires: int, parent: Issuance | None, subject: Claims, now: int) -> Draft:
        policy = await self._tiers.active()
        tier_name = parent.policy_tier if parent is not None else self._rules.policy_tier
        ground = Ground(self._rules, policy, tier_name, policy.get(tier_name), Grants(), now, approved=True)
        asked = as_asked(child, tier_name, expires)
        for denial in before_lane(asked, ground):
            # Evidence was promised when the parent was issued; the promise is copied below.
            if denial.code is not errors.EVIDENCE_REQUIRED:
                raise denial.refusal()
        await self._judge_chain(asked, ground, child)
        return Draft(
            claims=child,
            expires=lambda iat: expires,
            policy_version=policy.version,
            policy_tier=tier_name,
            chain_verified=bool(parent and parent.chain_verified),
            evidence_required=parent.evidence_required if parent else (),
            ids={name: value for name, value in _ids(parent, subject).items() if value is not None},
            parent_jti=subject.jti,
            approval_receipt_id=parent.approval_receipt_id if parent else None,
        )

    async def _judge_chain(self, asked: Asked, ground: Ground, child: dict[str, Any]) -> None:
        """A sensitive scope re-reads the chain; a legacy child is held to today's mode by the tier alone."""
        if asked.lane != CANONICAL or not any(scopes.is_sensitive(one, self._rules.sensitive_prefixes) for one in asked.scope):
            return
        record = await self._chains.chain(asked.controller_did or "", asked.agent_did or "")
        for denial in judge_record(asked, ground, record):
            raise denial.refusal()
        child["control_plane_policy_hash_b64u"] = record.policy_hash

    def _limit(self, jti: str) -> Any:
        def judge(work: Work, _: Minted) -> None:
            if work.issuances.children_of(jti) >= self._max_children:
                raise errors.EXCHANGE_LIMIT(f"at most {self._max_children} children", fix="exchange from a fresh token")

        return judge


def _ids(parent: Issuance | None, subject: Claims) -> dict[str, str | None]:
    row = parent.claims if parent is not None else {}
    return {"client_id": row.get("client_id", subject.client_id), "org_id": row.get("org_id", subject.org_id)}


def _acting_principal(principal: Principal, parent: Issuance | None, subject: Verified) -> Principal:
    # Possession suffices: whoever stood behind the parent stands behind the child, never more.
    credential = principal.credential if principal.kind != "anonymous" else f"cst:{subject.claims.jti}"
    reach = parent.granted_reach() if parent is not None else principal.reach
    return Principal(principal.kind, subject.claims.sub, credential, reach=reach)


def _answer(minted: Minted, now: int) -> dict[str, Any]:
    claims = minted.claims
    return {
        "access_token": minted.token,
        "issued_token_type": ISSUED_TYPE,
        "token_type": "Bearer",
        "expires_in": max(0, claims.exp - now),
        "scope": " ".join(claims.scope),
        "token_hash": minted.token_hash,
        "token_scope_hash_b64u": claims.token_scope_hash_b64u,
        "jti": claims.jti,
    }
