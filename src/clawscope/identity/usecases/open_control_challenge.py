"""Open a challenge for a change of controllers, agents and what belongs to them (identity.md §3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clawscope.identity.domain import errors, purposes
from clawscope.identity.domain.challenge import Draft
from clawscope.identity.domain.records import Controller
from clawscope.identity.domain.rules import Rules
from clawscope.identity.domain.wanted import Bound, Wanted, bound_fields, judge_form
from clawscope.identity.ports import Store, Work
from clawscope.identity.usecases.open_challenge import limit_open, signing_members, written
from clawscope.identity.usecases.presenting import require_bound
from clawscope.identity.usecases.resolving import agent_at, controller_at
from clawscope.kernel.clock import Clock
from clawscope.kernel.ids import new_uuid

_BY_OTHERS = frozenset({purposes.TRANSFER_CONFIRM, purposes.TRANSFER_CANCEL})


class OpenControlChallenge:
    """Writes a challenge of one of the control-plane purposes."""

    def __init__(self, store: Store, clock: Clock, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules

    async def __call__(self, wanted: Wanted) -> dict[str, Any]:
        """The challenge to sign. Raises, in this order: the codes of `judge_form`, `OWNER_BINDING_REQUIRED`, those of `_judge_state`."""
        judge_form(wanted, self._rules.message_versions)
        return await self._store.transact(lambda work: self._open(work, wanted))

    def _open(self, work: Work, wanted: Wanted) -> dict[str, Any]:
        now = self._clock.now()
        require_bound(work, wanted.owner_did, errors.OWNER_BINDING_REQUIRED)
        wanted = self._judge_state(work, wanted, now)
        limit_open(work, wanted.owner_did, now, self._rules)
        bound = bound_fields(wanted)
        draft = Draft(
            wanted.purpose,
            wanted.owner_did,
            new_uuid(),
            new_uuid(),
            now + self._rules.challenge_ttl_s,
            bound.get("controller_did"),
            bound.get("agent_did"),
            wanted.parts,
            purposes.stated(wanted.kind, bound),
        )
        challenge = written(work, draft, wanted.message_version, self._rules, bound)
        return {
            "challenge_id": challenge.challenge_id,
            "purpose": wanted.purpose,
            "owner_did": wanted.owner_did,
            **Bound(bound).echo(),
            "context_parts": list(wanted.parts),
            "message_version": wanted.message_version,
            **signing_members(challenge, now),
        }

    def _judge_state(self, work: Work, wanted: Wanted, now: int) -> Wanted:
        """The request with its controller resolved.

        (1) `CONTROLLER_NOT_FOUND`, (2) `CONTROLLER_INACTIVE`, (3) `CONTROLLER_OWNER_MISMATCH`, (4) `CONTROLLER_TRANSFER_FROZEN`,
        (5) the purpose's own.
        """
        if wanted.purpose == purposes.REGISTER_CONTROLLER:
            _judge_registration(work, wanted, now)
            return wanted
        if wanted.judged_did is None:
            return wanted
        controller, way = controller_at(work, wanted.judged_did, now)  # 1
        if not controller.active:  # 2
            raise errors.CONTROLLER_INACTIVE("this controller was deactivated")
        if wanted.purpose not in _BY_OTHERS and controller.owner_did != wanted.owner_did:  # 3
            raise errors.CONTROLLER_OWNER_MISMATCH("ask as the owner of this controller")
        if wanted.purpose not in purposes.TRANSFERS and controller.is_pending:  # 4
            raise errors.CONTROLLER_TRANSFER_FROZEN("confirm or cancel the transfer, or wait for its end")
        _judge_purpose(work, wanted, controller)  # 5
        return replace(wanted, controller_did=way.resolved_did) if wanted.controller_did is not None else wanted


def _judge_registration(work: Work, wanted: Wanted, now: int) -> None:
    record = work.controllers.get(wanted.controller_did or "")
    if record is not None and record.as_of(now).is_pending and record.owner_did != wanted.owner_did:
        raise errors.CONTROLLER_TRANSFER_FROZEN("a controller in transfer is not reclaimed")


def _judge_purpose(work: Work, wanted: Wanted, controller: Controller) -> None:
    if wanted.purpose == purposes.CONFIRM_ROTATION:
        require_bound(work, wanted.to_did or "", errors.ROTATION_TARGET_BINDING_REQUIRED)
        if wanted.rotation_role == "agent":
            agent_at(work, controller, wanted.from_did or "")
    elif wanted.purpose == purposes.EXPORT and wanted.agent_did is not None:
        agent_at(work, controller, wanted.agent_did)
    elif wanted.purpose == purposes.TRANSFER_REQUEST:
        _judge_request(work, wanted, controller)
    elif wanted.purpose in _BY_OTHERS:
        _judge_answer(wanted, controller)


def _judge_request(work: Work, wanted: Wanted, controller: Controller) -> None:
    if wanted.transfer_to_owner_did == controller.owner_did:
        raise errors.TRANSFER_TARGET_INVALID("name another owner")
    if controller.is_pending:
        raise errors.TRANSFER_ALREADY_PENDING("cancel the pending transfer first")
    require_bound(work, wanted.transfer_to_owner_did or "", errors.TRANSFER_TARGET_BINDING_REQUIRED)


def _judge_answer(wanted: Wanted, controller: Controller) -> None:
    if controller.transfer is None:
        raise errors.TRANSFER_NOT_PENDING("there is nothing to answer")
    parties = {controller.transfer.to_owner_did}
    if wanted.purpose == purposes.TRANSFER_CANCEL:
        parties.add(controller.owner_did)
    if wanted.owner_did not in parties:
        raise errors.TRANSFER_OWNER_MISMATCH("the pending transfer does not name this owner")
    if wanted.purpose == purposes.TRANSFER_CONFIRM and wanted.transfer_to_owner_did != wanted.owner_did:
        raise errors.TRANSFER_CONTEXT_MISMATCH("the new owner signs and is the target")
