"""Import a controller with its agents and aliases: all or nothing, and no way around binding here (identity.md §8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawscope.identity.domain import events, purposes
from clawscope.identity.domain.bundle import AgentShape, AliasShape, BundleShape, ImportMark, final_dids, read_bundle
from clawscope.identity.domain.event_keys import control_key
from clawscope.identity.domain.records import Agent, Alias, Controller
from clawscope.identity.domain.rules import Rules
from clawscope.identity.ports import StatementKeys, Store, Work
from clawscope.identity.usecases.judge_import import Offered, judge_conflicts, judge_envelope, judge_live
from clawscope.identity.usecases.presenting import Signed, check_signed, presented, spend
from clawscope.identity.usecases.recording import Fact, record
from clawscope.kernel.clock import Clock


class ImportIdentity:
    """Spends the challenge and writes the bundle's records."""

    def __init__(self, store: Store, clock: Clock, keys: StatementKeys | None, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._rules = rules

    async def __call__(self, signed: Signed, raw: Mapping[str, Any]) -> dict[str, Any]:
        """`imported` or `already_imported`.

        Raises (1) `IMPORT_BUNDLE_INVALID`, (2) the codes of SIG, (3 to 6) those of `judge_envelope`, (7, 8) of `judge_live`,
        (10, 11) of `judge_conflicts`.
        """
        offered = Offered(raw, read_bundle(raw), signed.owner_did)  # 1
        return await self._store.transact(lambda work: self._import(work, signed, offered))

    def _import(self, work: Work, signed: Signed, offered: Offered) -> dict[str, Any]:
        now = self._clock.now()
        bundle = offered.bundle
        challenge = presented(work, signed, purposes.IMPORT, {"bundle_hash_b64u": bundle.bundle_hash_b64u}, now)  # 2
        check_signed(challenge, signed)
        judge_envelope(offered, self._keys, self._rules, now)  # 3, 4, 5, 6
        stored = work.controllers.get(bundle.payload.controller.controller_did)
        live = stored.as_of(now) if stored is not None else None
        judge_live(work, offered, live)  # 7, 8
        if work.imports.is_known(signed.owner_did, bundle.bundle_hash_b64u):  # 9
            spend(work, challenge)
            return {"status": "already_imported", "bundle_hash_b64u": bundle.bundle_hash_b64u}
        judge_conflicts(work, offered, live)  # 10, 11
        spend(work, challenge)
        self._write(work, signed, bundle, live, now)
        return self._answer(work, signed, bundle, now)

    def _write(self, work: Work, signed: Signed, bundle: BundleShape, live: Controller | None, now: int) -> None:
        payload = bundle.payload
        controller = _controller(bundle, live)
        if live is None:
            work.controllers.add(controller)
        else:
            work.controllers.change(controller)
        for shape in payload.agent_bindings:
            _put_agent(work, _agent(work, shape))
        _put_aliases(work, payload.rotation_aliases, controller)
        work.imports.add(signed.owner_did, bundle.bundle_hash_b64u, now)
        mark = ImportMark(bundle.sequence, bundle.bundle_hash_b64u, controller.version)
        work.imports.set_mark(bundle.issuer, payload.owner_did, controller.controller_did, mark)
        details = {"bundle_hash_b64u": bundle.bundle_hash_b64u, "issuer": bundle.issuer, "sequence": bundle.sequence}
        details |= {"agents": len(payload.agent_bindings), "challenge_id": signed.challenge_id}
        record(work, Fact(events.IMPORTED, signed.owner_did, controller.controller_did, details), now)

    def _answer(self, work: Work, signed: Signed, bundle: BundleShape, now: int) -> dict[str, Any]:
        payload = bundle.payload
        named = [payload.owner_did, payload.controller.controller_did, *(agent.agent_did for agent in payload.agent_bindings)]
        bound = work.bindings.active_among(named)
        return {
            "status": "imported",
            "bundle_hash_b64u": bundle.bundle_hash_b64u,
            "controller_did": payload.controller.controller_did,
            "unbound_dids": [did for did in dict.fromkeys(named) if did not in bound],
            "event_key": control_key(now, "identity-import", signed.owner_did, bundle.bundle_hash_b64u),
        }


def _controller(bundle: BundleShape, live: Controller | None) -> Controller:
    shape = bundle.payload.controller
    return Controller(
        controller_did=shape.controller_did,
        owner_did=shape.owner_did,
        active=True,
        registered_at=shape.registered_at,
        last_challenge_id=shape.last_challenge_id,
        allowed_sensitive_scopes=tuple(shape.policy.allowed_sensitive_scopes),
        policy_updated_at=shape.policy.updated_at,
        consent=shape.consent,
        origin_issuer=bundle.issuer,
        version=shape.version,
        transferred_at=shape.transferred_at,
        transferred_from_owner_did=shape.transferred_from_owner_did,
        rotated_from_did=shape.rotated_from_did,
        rotation_confirmed_at=shape.rotation_confirmed_at,
        export_sequence=live.export_sequence if live is not None else 0,
    )


def _agent(work: Work, shape: AgentShape) -> Agent:
    return Agent(
        controller_did=shape.controller_did,
        agent_did=shape.agent_did,
        active=True,
        registered_at=shape.registered_at,
        last_challenge_id=shape.last_challenge_id,
        consent=shape.consent,
        position=work.agents.next_position(),
        rotated_from_did=shape.rotated_from_did,
        rotation_confirmed_at=shape.rotation_confirmed_at,
    )


def _put_agent(work: Work, agent: Agent) -> None:
    if work.agents.get(agent.controller_did, agent.agent_did) is None:
        work.agents.add(agent)
    else:
        work.agents.change(agent)


def _put_aliases(work: Work, shapes: list[AliasShape], controller: Controller) -> None:
    """Write the aliases and, for each former DID without a record, one that says where it went."""
    ends = final_dids(shapes) or {}
    for shape in shapes:
        final = ends[shape.role, shape.from_did]
        work.aliases.put(Alias(shape.role, shape.from_did, shape.to_did, final, shape.owner_did, shape.confirmed_at, shape.controller_did))
        if shape.role == "controller" and work.controllers.get(shape.from_did) is None:
            work.controllers.add(_former_controller(shape, controller))
        if shape.role == "agent" and work.agents.get(controller.controller_did, shape.from_did) is None:
            work.agents.add(_former_agent(work, shape, controller))


def _former_controller(shape: AliasShape, controller: Controller) -> Controller:
    return Controller(
        controller_did=shape.from_did,
        owner_did=shape.owner_did,
        active=False,
        registered_at=shape.confirmed_at,
        last_challenge_id=controller.last_challenge_id,
        allowed_sensitive_scopes=controller.allowed_sensitive_scopes,
        policy_updated_at=controller.policy_updated_at,
        consent=controller.consent,
        origin_issuer=controller.origin_issuer,
        rotated_to_did=shape.to_did,
    )


def _former_agent(work: Work, shape: AliasShape, controller: Controller) -> Agent:
    return Agent(
        controller_did=controller.controller_did,
        agent_did=shape.from_did,
        active=False,
        registered_at=shape.confirmed_at,
        last_challenge_id=controller.last_challenge_id,
        consent=controller.consent,
        position=work.agents.next_position(),
        rotated_to_did=shape.to_did,
    )
