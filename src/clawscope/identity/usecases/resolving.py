"""From a DID in a request to the record it leads to: aliases of that record's owner and controller only (identity.md §6)."""

from __future__ import annotations

from collections.abc import Sequence

from clawscope.identity.domain import errors
from clawscope.identity.domain.chain import Way
from clawscope.identity.domain.records import Agent, Alias, Controller
from clawscope.identity.ports import Work


def controller_at(work: Work, requested_did: str, now: int) -> tuple[Controller, Way]:
    """The record a controller's DID leads to, as of now, and the way. Raises `CONTROLLER_NOT_FOUND`."""
    record = work.controllers.get(requested_did)
    if record is None:
        raise errors.CONTROLLER_NOT_FOUND("register the controller first")
    alias = work.aliases.find("controller", "", requested_did) if record.rotated_to_did else None
    final = work.controllers.get(alias.final_did) if alias else None
    if alias is None or final is None or final.owner_did != alias.owner_did:
        return record.as_of(now), Way(requested_did, requested_did)
    on_the_way = _way(requested_did, work.aliases.leading_to("controller", "", alias.final_did))
    return final.as_of(now), Way(requested_did, alias.final_did, on_the_way)


def agent_at(work: Work, controller: Controller, requested_did: str) -> tuple[Agent, Way]:
    """The agent a DID leads to under this controller, and the way. Raises `CONTROLLER_AGENT_NOT_FOUND`."""
    agent = work.agents.get(controller.controller_did, requested_did)
    if agent is None:
        raise errors.CONTROLLER_AGENT_NOT_FOUND("register the agent under this controller first")
    alias = work.aliases.find("agent", controller.controller_did, requested_did) if agent.rotated_to_did else None
    final = work.agents.get(controller.controller_did, alias.final_did) if alias else None
    if alias is None or final is None or alias.owner_did != controller.owner_did:
        return agent, Way(requested_did, requested_did)
    on_the_way = _way(requested_did, work.aliases.leading_to("agent", controller.controller_did, alias.final_did))
    return final, Way(requested_did, alias.final_did, on_the_way)


def _way(start: str, leading: Sequence[Alias]) -> tuple[Alias, ...]:
    by_from = {alias.from_did: alias for alias in leading}
    found: list[Alias] = []
    while start in by_from:
        found.append(by_from.pop(start))
        start = found[-1].to_did
    return tuple(found)
