"""The answer while no identity service is configured (tokens.md §2.3)."""

from __future__ import annotations

from clawscope.issuer.domain import errors
from clawscope.issuer.domain.chain import ChainRecord


class NoChains:
    """`Chains` with neither an identity slice nor a URL."""

    async def chain(self, controller_did: str, agent_did: str) -> ChainRecord:
        """Refuses always."""
        raise errors.CONTROL_PLANE_NOT_CONFIGURED("set issuer.identity_url, or use the legacy lane")
