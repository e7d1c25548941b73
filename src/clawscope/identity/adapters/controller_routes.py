"""Routes of controllers, agents, policies and chains (identity.md §5)."""

from __future__ import annotations

from clawscope.identity.adapters import wire
from clawscope.identity.adapters.doors import Doors
from clawscope.identity.adapters.reading import named, path_did, signed_of
from clawscope.identity.domain import code_lists, errors
from clawscope.identity.usecases.deactivate import Deactivate
from clawscope.identity.usecases.read_identity import ReadIdentity
from clawscope.identity.usecases.register_agent import RegisterAgent
from clawscope.identity.usecases.register_controller import RegisterController
from clawscope.identity.usecases.set_policy import SetPolicy
from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.kernel.page import clamp

CONTROLLERS = "/v1/control-plane/controllers"
ONE = CONTROLLERS + "/{controller}"


class ControllerRoutes:
    """The handlers."""

    def __init__(
        self, register: RegisterController, register_agent: RegisterAgent, policy: SetPolicy, deactivate: Deactivate, read: ReadIdentity
    ) -> None:
        self._register = register
        self._register_agent = register_agent
        self._policy = policy
        self._deactivate = deactivate
        self._read = read

    async def known(self, call: Call) -> None:
        """`CONTROLLER_NOT_FOUND` precedes whatever is wrong with the body."""
        await self._read.knows(path_did(call, "controller"))

    async def register(self, call: Call) -> Reply:
        """`POST controllers/register`."""
        body: wire.RegisterControllerBody = call.body
        return Reply(await self._register(signed_of(body), named(body, "controller_did"), body.allowed_sensitive_scopes))

    async def register_agent(self, call: Call) -> Reply:
        """`POST controllers/{c}/agents/register`."""
        return Reply(await self._register_agent(signed_of(call.body), path_did(call, "controller"), named(call.body, "agent_did")))

    async def set_policy(self, call: Call) -> Reply:
        """`POST controllers/{c}/sensitive-policy`."""
        body: wire.PolicyBody = call.body
        return Reply(await self._policy(signed_of(body), path_did(call, "controller"), body.allowed_sensitive_scopes))

    async def deactivate(self, call: Call) -> Reply:
        """`POST controllers/{c}/deactivate`."""
        return Reply(await self._deactivate.controller(signed_of(call.body), path_did(call, "controller")))

    async def deactivate_agent(self, call: Call) -> Reply:
        """`POST controllers/{c}/agents/{a}/deactivate`."""
        return Reply(await self._deactivate.agent(signed_of(call.body), path_did(call, "controller"), path_did(call, "agent")))

    async def controller(self, call: Call) -> Reply:
        """`GET controllers/{c}`."""
        return Reply(await self._read.controller(path_did(call, "controller")), headers=NO_STORE)

    async def agents(self, call: Call) -> Reply:
        """`GET controllers/{c}/agents`."""
        query: wire.PageQuery = call.query
        return Reply(await self._read.agents(path_did(call, "controller"), clamp(query.limit), query.cursor), headers=NO_STORE)

    async def chain(self, call: Call) -> Reply:
        """`GET controllers/{c}/agents/{a}`."""
        return Reply(await self._read.chain(path_did(call, "controller"), path_did(call, "agent")), headers=NO_STORE)

    def endpoints(self, doors: Doors) -> list[Endpoint]:
        """What is served."""
        made = wire.StatusBody
        missing, no_agent = errors.CONTROLLER_NOT_FOUND, errors.CONTROLLER_AGENT_NOT_FOUND
        return [
            doors.change(f"{CONTROLLERS}/register", self.register, wire.RegisterControllerBody, "Put a controller in charge", made,
                         code_lists.REGISTER_CONTROLLER),
            doors.change(f"{ONE}/agents/register", self.register_agent, wire.RegisterAgentBody, "Put an agent under a controller", made,
                         code_lists.REGISTER_AGENT, before=self.known),
            doors.change(f"{ONE}/sensitive-policy", self.set_policy, wire.PolicyBody, "Set which control scopes agents may hold", made,
                         code_lists.SET_POLICY, before=self.known),
            doors.change(f"{ONE}/deactivate", self.deactivate, wire.SignedBody, "Take a controller out of service", made,
                         code_lists.DEACTIVATE, before=self.known),
            doors.change(f"{ONE}/agents/{{agent}}/deactivate", self.deactivate_agent, wire.SignedBody, "Take an agent out of service",
                         made, code_lists.DEACTIVATE_AGENT, before=self.known),
            doors.read(ONE, self.controller, "A controller", wire.ControllerAnswerBody, (missing,)),
            doors.read(f"{ONE}/agents", self.agents, "A controller's agents", wire.AgentListBody, (missing,), query=wire.PageQuery),
            doors.read(f"{ONE}/agents/{{agent}}", self.chain, "A chain and whether it acts", wire.ChainAnswerBody, (missing, no_agent)),
        ]  # fmt: skip
