"""Read bindings, controllers, agents and chains as they stand now (identity.md §4, §5)."""

from __future__ import annotations

from typing import Any

from clawscope.identity.domain import errors
from clawscope.identity.domain.chain import Standing, chain_body
from clawscope.identity.domain.records import timed
from clawscope.identity.ports import Store, Work
from clawscope.identity.usecases.resolving import agent_at, controller_at
from clawscope.kernel.clock import Clock
from clawscope.kernel.page import decode_cursor, page_of


class ReadIdentity:
    """Public reads; nothing is written and nothing is kept between them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def binding(self, did: str) -> dict[str, Any]:
        """A binding. Raises `BINDING_NOT_FOUND`."""
        found = await self._store.read(lambda work: work.bindings.get(did))
        if found is None:
            raise errors.BINDING_NOT_FOUND("this DID was never bound here")
        return {"did": did, "active": found.active, **timed("bound_at", found.bound_at), **timed("revoked_at", found.revoked_at)}

    async def knows(self, controller_did: str) -> None:
        """Raises `CONTROLLER_NOT_FOUND` unless a record of that DID stands."""
        if await self._store.read(lambda work: work.controllers.get(controller_did)) is None:
            raise errors.CONTROLLER_NOT_FOUND("register the controller first")

    async def controller(self, controller_did: str) -> dict[str, Any]:
        """A controller and the aliases on the way to it. Raises `CONTROLLER_NOT_FOUND`."""
        controller, way = await self._store.read(lambda work: controller_at(work, controller_did, self._clock.now()))
        return {
            "status": "ok",
            "requested_controller_did": controller_did,
            "resolved_controller_did": way.resolved_did,
            "aliases": way.bodies(),
            "transfer_state": controller.transfer_state,
            "controller": controller.body(),
        }

    async def agents(self, controller_did: str, limit: int, cursor: str | None) -> dict[str, Any]:
        """A page of a controller's agents, active or not. Raises `CONTROLLER_NOT_FOUND`, `INVALID_CURSOR`."""
        return await self._store.read(lambda work: self._agents(work, controller_did, limit, cursor))

    async def chain(self, controller_did: str, agent_did: str) -> dict[str, Any]:
        """The chain, judged at this moment. Raises `CONTROLLER_NOT_FOUND`, `CONTROLLER_AGENT_NOT_FOUND`."""
        return await self._store.read(lambda work: self._chain(work, controller_did, agent_did))

    def _agents(self, work: Work, controller_did: str, limit: int, cursor: str | None) -> dict[str, Any]:
        controller, way = controller_at(work, controller_did, self._clock.now())
        name = f"identity.agents:{controller.controller_did}"
        after = decode_cursor(name, cursor) if cursor is not None else 0
        page = page_of(name, work.agents.page(controller.controller_did, after, limit + 1), limit)
        return {
            "requested_controller_did": controller_did,
            "controller_did": controller.controller_did,
            "transfer_state": controller.transfer_state,
            "aliases": way.bodies(),
            "bindings": [agent.body(controller) for agent in page.rows],
            "cursor": page.cursor,
            "list_complete": page.list_complete,
        }

    def _chain(self, work: Work, controller_did: str, agent_did: str) -> dict[str, Any]:
        now = self._clock.now()
        controller, to_controller = controller_at(work, controller_did, now)
        agent, to_agent = agent_at(work, controller, agent_did)
        dids = (controller.owner_did, controller.controller_did, agent.agent_did)
        bound = work.bindings.active_among(dids)
        owner, by_controller, by_agent = (did in bound for did in dids)
        return chain_body(controller, agent, Standing(owner, by_controller, by_agent), to_controller, to_agent, now)
