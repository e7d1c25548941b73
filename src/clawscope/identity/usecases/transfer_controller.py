"""Hand a controller to another owner: offered, then confirmed, cancelled or out of time (identity.md §7)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clawscope.identity.domain import errors, events, purposes
from clawscope.identity.domain.event_keys import control_key
from clawscope.identity.domain.records import PENDING, TRANSFERRED, Controller, Transfer
from clawscope.identity.domain.rules import Rules
from clawscope.identity.ports import CutOffs, Store, Work
from clawscope.identity.usecases.expire_transfers import controller_to_change
from clawscope.identity.usecases.presenting import Signed, check_signed, presented, require_bound, spend
from clawscope.identity.usecases.recording import Fact, cut_off, record
from clawscope.identity.usecases.register_agent import require_owner
from clawscope.kernel.clock import Clock


class TransferController:
    """The three signed steps; each spends its challenge and writes once."""

    def __init__(self, store: Store, clock: Clock, cut_offs: CutOffs, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._cut_offs = cut_offs
        self._rules = rules

    async def request(self, signed: Signed, controller_did: str, to_owner_did: str) -> dict[str, Any]:
        """`transfer_pending` or `already_pending`.

        Raises `CONTROLLER_NOT_FOUND`, (1) `CONTROLLER_OWNER_MISMATCH`, (2) `TRANSFER_ALREADY_PENDING`, (3) the codes of SIG up to OWNER,
        (4) `TRANSFER_TARGET_INVALID`, (5) `TRANSFER_TARGET_BINDING_REQUIRED`, (6) `SIGNATURE_INVALID`.
        """
        return await self._store.transact(lambda work: self._request(work, signed, controller_did, to_owner_did))

    async def confirm(self, signed: Signed, controller_did: str, to_owner_did: str | None) -> dict[str, Any]:
        """`transferred` or `already_transferred`.

        Raises `CONTROLLER_NOT_FOUND`, (1) `TRANSFER_CONTEXT_MISMATCH`, (2) `TRANSFER_NOT_PENDING`, (3) `TRANSFER_OWNER_MISMATCH`,
        (4) the codes of SIG.
        """
        return await self._store.transact(lambda work: self._confirm(work, signed, controller_did, to_owner_did))

    async def cancel(self, signed: Signed, controller_did: str) -> dict[str, Any]:
        """`transfer_cancelled`, by the owner or the target.

        Raises `CONTROLLER_NOT_FOUND`, (1) `TRANSFER_NOT_PENDING`, (2) `TRANSFER_OWNER_MISMATCH`, (3) the codes of SIG.
        """
        return await self._store.transact(lambda work: self._cancel(work, signed, controller_did))

    def _request(self, work: Work, signed: Signed, requested_did: str, to_owner_did: str) -> dict[str, Any]:
        now = self._clock.now()
        controller, _ = controller_to_change(work, requested_did, now)
        require_owner(controller, signed.owner_did)  # 1
        key = control_key(now, "transfer-request", signed.owner_did, signed.challenge_id)
        if controller.transfer is not None:  # 2
            if controller.transfer.to_owner_did != to_owner_did:
                raise errors.TRANSFER_ALREADY_PENDING("cancel the pending transfer first")
            return {"status": "already_pending", "controller": controller.body()}
        fields = {"controller_did": controller.controller_did, "transfer_to_owner_did": to_owner_did}
        challenge = presented(work, signed, purposes.TRANSFER_REQUEST, fields, now)  # 3
        if to_owner_did == controller.owner_did:  # 4
            raise errors.TRANSFER_TARGET_INVALID("name another owner")
        require_bound(work, to_owner_did, errors.TRANSFER_TARGET_BINDING_REQUIRED)  # 5
        check_signed(challenge, signed)  # 6
        spend(work, challenge)
        offered = Transfer(to_owner_did, now, now + self._rules.transfer_ttl_s, controller.transfer_state)
        changed = _changed(work, replace(controller, transfer=offered, transfer_state=PENDING), signed)
        details = {"transfer_to_owner_did": to_owner_did, "transfer_expires_at": offered.expires_at, "challenge_id": signed.challenge_id}
        record(work, Fact(events.TRANSFER_REQUESTED, signed.owner_did, controller.controller_did, details), now)
        return {"status": "transfer_pending", "controller": changed.body(), "event_key": key}

    def _confirm(self, work: Work, signed: Signed, requested_did: str, to_owner_did: str | None) -> dict[str, Any]:
        now = self._clock.now()
        controller, _ = controller_to_change(work, requested_did, now)
        if to_owner_did not in (None, signed.owner_did):  # 1
            raise errors.TRANSFER_CONTEXT_MISMATCH("the new owner signs and is the target")
        if controller.transfer_state == TRANSFERRED and controller.owner_did == signed.owner_did:
            return {"status": "already_transferred", "controller": controller.body()}
        if controller.transfer is None:  # 2
            raise errors.TRANSFER_NOT_PENDING("there is nothing to confirm")
        if controller.transfer.to_owner_did != signed.owner_did:  # 3
            raise errors.TRANSFER_OWNER_MISMATCH("the pending transfer names another owner")
        fields = {"controller_did": controller.controller_did, "transfer_to_owner_did": signed.owner_did}
        challenge = presented(work, signed, purposes.TRANSFER_CONFIRM, fields, now)  # 4
        check_signed(challenge, signed)
        spend(work, challenge)
        changed = _changed(work, _handed_over(controller, signed.owner_did, now), signed)
        _hand_over_the_way(work, changed)
        value = f"{controller.controller_did} {controller.owner_did}"
        cut_off(work, self._cut_offs, "controller_owner", value, "controller transferred", now)
        details = {"transferred_from_owner_did": controller.owner_did, "challenge_id": signed.challenge_id}
        record(work, Fact(events.TRANSFER_CONFIRMED, signed.owner_did, controller.controller_did, details), now)
        key = control_key(now, "transfer-confirm", signed.owner_did, signed.challenge_id)
        return {"status": "transferred", "controller": changed.body(), "event_key": key}

    def _cancel(self, work: Work, signed: Signed, requested_did: str) -> dict[str, Any]:
        now = self._clock.now()
        controller, _ = controller_to_change(work, requested_did, now)
        if controller.transfer is None:  # 1
            raise errors.TRANSFER_NOT_PENDING("there is nothing to cancel")
        if signed.owner_did not in (controller.owner_did, controller.transfer.to_owner_did):  # 2
            raise errors.TRANSFER_OWNER_MISMATCH("the owner or the target cancels")
        challenge = presented(work, signed, purposes.TRANSFER_CANCEL, {"controller_did": controller.controller_did}, now)  # 3
        check_signed(challenge, signed)
        spend(work, challenge)
        changed = _changed(work, controller.without_transfer(), signed)
        details = {"transfer_to_owner_did": controller.transfer.to_owner_did, "challenge_id": signed.challenge_id}
        record(work, Fact(events.TRANSFER_CANCELLED, signed.owner_did, controller.controller_did, details), now)
        key = control_key(now, "transfer-cancel", signed.owner_did, signed.challenge_id)
        return {"status": "transfer_cancelled", "controller": changed.body(), "event_key": key}


def _changed(work: Work, controller: Controller, signed: Signed) -> Controller:
    changed = replace(controller, last_challenge_id=signed.challenge_id, version=controller.version + 1)
    work.controllers.change(changed)
    return changed


def _handed_over(controller: Controller, owner_did: str, now: int) -> Controller:
    """Same scopes in the same order; the policy's hash changes with the owner. A new owner counts his exports from the start."""
    return replace(
        controller,
        owner_did=owner_did,
        transfer=None,
        transfer_state=TRANSFERRED,
        transferred_at=now,
        transferred_from_owner_did=controller.owner_did,
        policy_updated_at=now,
        export_sequence=0,
    )


def _hand_over_the_way(work: Work, controller: Controller) -> None:
    """Former records and every alias change hands too, so that old DIDs still lead here."""
    former = work.controllers.rotated_to(controller.controller_did)
    while former:
        one = former.pop()
        work.controllers.change(replace(one, owner_did=controller.owner_did, version=one.version + 1))
        former += work.controllers.rotated_to(one.controller_did)
    leading = work.aliases.leading_to("controller", "", controller.controller_did)
    for alias in [*leading, *work.aliases.of_controller(controller.controller_did)]:
        work.aliases.put(replace(alias, owner_did=controller.owner_did))
