"""The route of delegation bootstraps (identity.md §10)."""

from __future__ import annotations

from clawscope.identity.adapters import wire
from clawscope.identity.adapters.doors import Doors
from clawscope.identity.adapters.reading import named
from clawscope.identity.domain import errors
from clawscope.identity.usecases.bootstrap_delegation import BootstrapDelegation
from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.kernel.codes import UNAUTHORIZED


class DelegationRoutes:
    """The handler."""

    def __init__(self, bootstrap: BootstrapDelegation) -> None:
        self._bootstrap = bootstrap

    async def admit(self, call: Call) -> None:
        """The key is judged before the body."""
        self._bootstrap.admit(call.header("Authorization"))

    async def bootstrap(self, call: Call) -> Reply:
        """`POST /v1/delegations/bootstrap`."""
        return Reply(await self._bootstrap(named(call.body, "delegator_did"), named(call.body, "delegate_did")), headers=NO_STORE)

    def endpoints(self, doors: Doors) -> list[Endpoint]:
        """What is served."""
        codes = (
            errors.DELEGATION_BOOTSTRAP_NOT_CONFIGURED,
            UNAUTHORIZED,
            errors.DELEGATOR_BINDING_REQUIRED,
            errors.DELEGATE_BINDING_REQUIRED,
        )
        path, summary = "/v1/delegations/bootstrap", "Whether both sides of a delegation are bound now"
        return [doors.change(path, self.bootstrap, wire.DelegationBody, summary, wire.DelegationAnswerBody, codes, before=self.admit)]
