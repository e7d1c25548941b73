"""Exchange a human's approval receipt for a token: once, within what it grants (tokens.md §8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from clawscope.issuer.domain import errors, events
from clawscope.issuer.domain.approvals import approval_record, approved_request, judge_receipt
from clawscope.issuer.domain.caller import Caller
from clawscope.issuer.domain.grants import Grants, grants_of
from clawscope.issuer.domain.rows import ApprovalRow, SpentReceipt
from clawscope.issuer.ports import Chains, Store, Tiers, View, Work
from clawscope.issuer.usecases.issue_token import IssueToken
from clawscope.issuer.usecases.recording import event_of
from clawscope.kernel.clock import Clock
from clawscope.kernel.errors import Code, Refusal
from clawscope.protocol import did
from clawscope.protocol.approval import Receipt, open_receipt
from clawscope.protocol.digest import sha256_b64u
from clawscope.protocol.jcs import canonical
from clawscope.protocol.token import Minted
from clawscope.protocol.verdict import Denied


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """Settings of §8, durations in seconds."""

    policy_tier: str
    max_ttl_s: int
    max_age_s: int
    skew_s: int
    trusted_approvers: frozenset[str]


class ExchangeApproval:
    """Steps (1) to (9) of §8; mint, spent mark and audit row are one transaction."""

    def __init__(
        self, issue: IssueToken, tiers: Tiers, chains: Chains, store: Store, view: View, clock: Clock, rules: ApprovalRules
    ) -> None:
        self._issue = issue
        self._tiers = tiers
        self._chains = chains
        self._store = store
        self._view = view
        self._clock = clock
        self._rules = rules

    async def __call__(
        self, caller: Caller, raw: Any, aud: tuple[str, ...] | None, ttl_s: int | None, mission_id: str | None
    ) -> dict[str, Any]:
        """The issuer's answer. Raises the `HUMAN_APPROVAL_*` codes in their order, then those of an issue."""
        opened = open_receipt(raw)  # 1, 2
        if isinstance(opened, Denied):
            raise opened.code(f"{opened.field or 'receipt'}: {opened.detail}".rstrip(": "))
        try:
            return await self._exchange(caller, opened, aud, ttl_s, mission_id)
        except Refusal as refusal:
            # Every authentic receipt leaves a row; a refused one in a transaction of its own, spent-again ones included.
            code = refusal.code
            await self._store.transact(lambda work: self._note(work, caller, opened, "refused", code, None))
            raise

    async def _exchange(
        self, caller: Caller, receipt: Receipt, aud: tuple[str, ...] | None, ttl_s: int | None, mission_id: str | None
    ) -> dict[str, Any]:
        await self._judge_signer(receipt)  # 3
        spent = await self._store.read(
            lambda work: work.approvals.spent(receipt.signer_did, receipt.payload.receipt_id, receipt.payload_hash_b64u)
        )
        if spent is not None:
            raise already_exchanged(spent)  # 4
        policy = await self._tiers.active()
        tier = policy.get(self._rules.policy_tier)
        agent = caller.principal.claims.get("sub") if caller.principal.kind == "cst" else None
        for denial in judge_receipt(  # 5–8
            receipt,
            now=self._clock.now(),
            skew_s=self._rules.skew_s,
            max_age_s=self._rules.max_age_s,
            auto_approve=tier is not None and tier.auto_approve,
            agent_did=agent,
            aud=aud,
            ttl_s=ttl_s,
        ):
            raise denial.refusal()
        tier_max = tier.max_ttl_seconds if tier is not None else self._rules.max_ttl_s
        asked = approved_request(
            receipt, aud=aud, ttl_s=ttl_s, mission_id=mission_id, approval_max_ttl_s=self._rules.max_ttl_s, tier_max_s=tier_max
        )
        acting, grants = _acting(caller, receipt)
        return await self._issue.asked(  # 9
            acting,
            asked,
            grants,
            also=lambda work, minted: self._spend(work, acting, receipt, minted),
            approved_by=receipt.payload.receipt_id,
        )

    async def _judge_signer(self, receipt: Receipt) -> None:
        payload = receipt.payload
        keyring = (await self._view.fresh()).keyring
        ours = {did.did_key(record.public) for record in keyring.accepted("statement", self._clock.now())}
        if receipt.signer_did in ours or receipt.signer_did in self._rules.trusted_approvers:
            return
        if receipt.signer_did in (payload.owner_did, payload.controller_did):
            # The payload's own word is no proof: the chain record says who owner and controller are.
            record = await self._chains.chain(payload.controller_did, payload.agent_did)
            if receipt.signer_did in record.owners | record.controllers:
                return
        raise errors.HUMAN_APPROVAL_APPROVER_NOT_TRUSTED(
            "receipt.signer_did", fix="have the owner, the controller or a trusted approver sign"
        )

    def _spend(self, work: Work, caller: Caller, receipt: Receipt, minted: Minted) -> None:
        # The issuing transaction is alone in its turn, so of many exchanges of one receipt exactly one finds it unspent.
        spent = work.approvals.spent(receipt.signer_did, receipt.payload.receipt_id, receipt.payload_hash_b64u)
        if spent is not None:
            raise already_exchanged(spent)
        jti = minted.claims.jti or ""
        mark = SpentReceipt(
            receipt.payload_hash_b64u, receipt.signer_did, receipt.payload.receipt_id, minted.token_hash, jti, minted.claims.iat
        )
        work.approvals.spend(mark)
        self._note(work, caller, receipt, "exchanged", None, minted)

    def _note(self, work: Work, caller: Caller, receipt: Receipt, outcome: str, code: Code | None, minted: Minted | None) -> None:
        payload = receipt.payload
        facts = approval_record(receipt, outcome, code.name if code else "")
        record = {**facts, "record_hash_b64u": sha256_b64u(canonical(facts))}
        now = self._clock.now()
        named = {"token_hash": minted.token_hash, "jti": minted.claims.jti} if minted else {}
        row = ApprovalRow(
            sequence=work.approvals.next_sequence(),
            receipt_id=payload.receipt_id,
            signer_did=receipt.signer_did,
            outcome=outcome,
            code=code.name if code else "",
            sub=payload.agent_did,
            at=now,
            record={**record, **named, "at": now},
            owner_did=payload.owner_did,
            controller_did=payload.controller_did,
            agent_did=payload.agent_did,
            org_id=caller.principal.claims.get("org_id"),
            **named,
        )
        work.approvals.add(row)
        if minted is not None:
            work.events.put(event_of(events.APPROVAL_EXCHANGED, caller, now, receipt_id=payload.receipt_id, **named))


def already_exchanged(spent: SpentReceipt) -> Refusal:
    """(4): how the receipt was spent."""
    details = {"token_hash": spent.token_hash, "jti": spent.jti, "exchanged_at": spent.exchanged_at}
    return errors.HUMAN_APPROVAL_ALREADY_EXCHANGED("a receipt is good for one token", fix="ask for a new approval", details=details)


def _acting(caller: Caller, receipt: Receipt) -> tuple[Caller, Grants]:
    principal = caller.principal
    if principal.kind != "cst":
        return caller, grants_of(principal)
    # An agent that exchanges for itself gets no reach beyond its owner's.
    reached = replace(principal, reach=replace(principal.reach, everything=False, owner_did=receipt.payload.owner_did))
    grants = Grants(client_id=principal.claims.get("client_id"), org_id=principal.claims.get("org_id"))
    return replace(caller, principal=reached), grants
