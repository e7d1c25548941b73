"""Controllers, agents and aliases on SQL."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, select, union, update

from clawscope.identity.adapters.tables import agents, aliases, controllers
from clawscope.identity.domain.records import Agent, Alias, Controller
from clawscope.infra.db.tx import Tx

_c, _a, _l = controllers.c, agents.c, aliases.c
_CONTROLLER = select(_c.record).where(_c.controller_did == bindparam("d"))
_CHANGE_CONTROLLER = (
    update(controllers)
    .where(_c.controller_did == bindparam("d"))
    .values(
        owner_did=bindparam("o"),
        active=bindparam("on"),
        rotated_to_did=bindparam("to"),
        transfer_expires_at=bindparam("x"),
        record=bindparam("r"),
    )
)
_ROTATED = select(_c.record).where(_c.rotated_to_did == bindparam("d")).order_by(_c.controller_did)
_OVERDUE = (
    select(_c.record)
    .where(_c.transfer_expires_at < bindparam("now"))
    .order_by(_c.transfer_expires_at, _c.controller_did)
    .limit(bindparam("n"))
)
_AGENT = select(_a.record).where(_a.controller_did == bindparam("c"), _a.agent_did == bindparam("d"))
_CHANGE_AGENT = (
    update(agents)
    .where(_a.controller_did == bindparam("c"), _a.agent_did == bindparam("d"))
    .values(active=bindparam("on"), record=bindparam("r"))
)
_AGENTS = select(_a.record).where(_a.controller_did == bindparam("c")).order_by(_a.agent_did)
_ACTIVE_AGENTS = _AGENTS.where(_a.active == 1).limit(bindparam("n"))
_AGENT_PAGE = (
    select(_a.position, _a.record)
    .where(_a.controller_did == bindparam("c"), _a.position > bindparam("after"))
    .order_by(_a.position)
    .limit(bindparam("n"))
)
_LIVE = (
    select(_a.controller_did, _a.agent_did).join(controllers, _a.controller_did == _c.controller_did).where(_a.active == 1, _c.active == 1)
)
_CHAINS = union(
    _LIVE.where(_a.agent_did == bindparam("d")),
    _LIVE.where(_a.controller_did == bindparam("d")),
    _LIVE.where(_c.owner_did == bindparam("d")),
).subquery()
_COUNT_CHAINS = select(func.count()).select_from(_CHAINS)
_ALIAS = select(_l.record).where(_l.role == bindparam("r"), _l.controller_did == bindparam("c"), _l.from_did == bindparam("f"))
_LEADING = select(_l.record).where(_l.role == bindparam("r"), _l.controller_did == bindparam("c"), _l.final_did == bindparam("f"))
_UNDER = select(_l.record).where(_l.role == "agent", _l.controller_did == bindparam("c")).order_by(_l.from_did)
_DROP_ALIAS = delete(aliases).where(_l.role == bindparam("r"), _l.controller_did == bindparam("c"), _l.from_did == bindparam("f"))
_encode = msgspec.json.Encoder().encode
_controller = msgspec.json.Decoder(Controller).decode
_agent = msgspec.json.Decoder(Agent).decode
_alias = msgspec.json.Decoder(Alias).decode


class SqlControllers:
    """`Controllers` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, controller_did: str) -> Controller | None:
        """The record of a DID."""
        row = self._tx.first(_CONTROLLER, d=controller_did)
        return None if row is None else _controller(row.record)

    def add(self, controller: Controller) -> None:
        """Append a record."""
        self._tx.add(controllers, {"controller_did": controller.controller_did, **_columns(controller)})

    def change(self, controller: Controller) -> None:
        """Write a record over its former state."""
        row = _columns(controller)
        self._tx.change(
            _CHANGE_CONTROLLER,
            d=controller.controller_did,
            o=row["owner_did"],
            on=row["active"],
            to=row["rotated_to_did"],
            x=row["transfer_expires_at"],
            r=row["record"],
        )

    def rotated_to(self, controller_did: str) -> list[Controller]:
        """The former records that were rotated directly into this one."""
        return [_controller(row.record) for row in self._tx.rows(_ROTATED, d=controller_did)]

    def overdue(self, now: int, most: int) -> list[Controller]:
        """Records whose pending transfer ran out, the oldest first."""
        return [_controller(row.record) for row in self._tx.rows(_OVERDUE, now=now, n=most)]


class SqlAgents:
    """`Agents` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def next_position(self) -> int:
        """The next place in lists."""
        return self._tx.next("identity_agents")

    def get(self, controller_did: str, agent_did: str) -> Agent | None:
        """The agent under that controller."""
        row = self._tx.first(_AGENT, c=controller_did, d=agent_did)
        return None if row is None else _agent(row.record)

    def add(self, agent: Agent) -> None:
        """Append an agent."""
        row = {"controller_did": agent.controller_did, "agent_did": agent.agent_did, "active": int(agent.active)}
        self._tx.add(agents, {**row, "position": agent.position, "record": _encode(agent).decode()})

    def change(self, agent: Agent) -> None:
        """Write an agent over its former state."""
        self._tx.change(_CHANGE_AGENT, c=agent.controller_did, d=agent.agent_did, on=int(agent.active), r=_encode(agent).decode())

    def all_of(self, controller_did: str) -> list[Agent]:
        """Every agent of a controller, in text order."""
        return [_agent(row.record) for row in self._tx.rows(_AGENTS, c=controller_did)]

    def active_of(self, controller_did: str, most: int) -> list[Agent]:
        """Active agents of a controller, in text order."""
        return [_agent(row.record) for row in self._tx.rows(_ACTIVE_AGENTS, c=controller_did, n=most)]

    def page(self, controller_did: str, after: int, most: int) -> list[tuple[int, Agent]]:
        """Agents of a controller beyond a position, with their positions."""
        return [(row.position, _agent(row.record)) for row in self._tx.rows(_AGENT_PAGE, c=controller_did, after=after, n=most)]

    def chains_of(self, did: str) -> int:
        """How many active chains name this DID as owner, controller or agent."""
        row = self._tx.first(_COUNT_CHAINS, d=did)
        return int(row[0]) if row else 0


class SqlAliases:
    """`Aliases` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def find(self, role: str, controller_did: str, from_did: str) -> Alias | None:
        """The alias of a former DID."""
        row = self._tx.first(_ALIAS, r=role, c=controller_did, f=from_did)
        return None if row is None else _alias(row.record)

    def leading_to(self, role: str, controller_did: str, final_did: str) -> list[Alias]:
        """Every alias that ends at a DID."""
        return [_alias(row.record) for row in self._tx.rows(_LEADING, r=role, c=controller_did, f=final_did)]

    def of_controller(self, controller_did: str) -> list[Alias]:
        """Every alias of an agent under a controller."""
        return [_alias(row.record) for row in self._tx.rows(_UNDER, c=controller_did)]

    def put(self, alias: Alias) -> None:
        """Write an alias, over its former state if there is one."""
        self.drop(alias)
        row = {"role": alias.role, "controller_did": alias.controller_did or "", "from_did": alias.from_did}
        self._tx.add(aliases, {**row, "final_did": alias.final_did, "record": _encode(alias).decode()})

    def drop(self, alias: Alias) -> None:
        """Take an alias out of its scope."""
        self._tx.change(_DROP_ALIAS, r=alias.role, c=alias.controller_did or "", f=alias.from_did)


def _columns(controller: Controller) -> dict[str, Any]:
    return {
        "owner_did": controller.owner_did,
        "active": int(controller.active),
        "rotated_to_did": controller.rotated_to_did,
        "transfer_expires_at": controller.transfer.expires_at if controller.transfer else None,
        "record": _encode(controller).decode(),
    }
