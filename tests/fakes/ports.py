"""In-process stand-ins for neighbours of the issuer: API tokens, the policy registry, a failing chain service."""

from __future__ import annotations

from clawscope.issuer.domain.chain import ChainRecord
from clawscope.kernel.codes import FORBIDDEN, UNAUTHORIZED
from clawscope.kernel.principal import Principal, Reach


class MemoryApiTokens:
    """`ApiTokens` with tokens put in by hand."""

    def __init__(self) -> None:
        self._held: dict[str, Principal] = {}

    def add(
        self,
        token: str,
        *permissions: str,
        name: str = "atk_1",
        org_id: str = "org_1",
        tiers: tuple[str, ...] = ("default",),
        cst_scopes: tuple[str, ...] = (),
        audiences: tuple[str, ...] = (),
        subject: str = "sa:sa_1",
    ) -> str:
        """Make a token known; returns it."""
        claims = {"client_id": name, "org_id": org_id, "tiers": tiers, "cst_scopes": cst_scopes, "audiences": audiences}
        reach = Reach(org_id=org_id)
        self._held[token] = Principal("api_token", subject, f"api_token:{name}", frozenset(permissions), reach, claims)
        return token

    async def principal(self, token: str, permission: str | None) -> Principal:
        """See `ApiTokens.principal`."""
        found = self._held.get(token)
        if found is None:
            raise UNAUTHORIZED("no such credential")
        if permission is not None and not found.may(permission):
            raise FORBIDDEN(f"this needs the permission {permission}")
        return found


class MemoryPolicies:
    """`PolicyBook` over a set of hashes."""

    def __init__(self, *known: str) -> None:
        self._known = frozenset(known)

    async def knows(self, policy_hash_b64u: str) -> bool:
        """See `PolicyBook.knows`."""
        return policy_hash_b64u in self._known


class FailingChains:
    """`Chains` whose code has a fault nobody foresaw."""

    async def chain(self, controller_did: str, agent_did: str) -> ChainRecord:
        """Fails always."""
        raise ZeroDivisionError("a fault nobody foresaw")


class MemoryLog:
    """`TransparencyLog` that keeps its leaves in order."""

    def __init__(self) -> None:
        self.leaves: list[tuple[str, bytes]] = []

    async def append(self, log_id: str, leaf: bytes) -> None:
        """See `TransparencyLog.append`."""
        if (log_id, leaf) not in self.leaves:
            self.leaves.append((log_id, leaf))

    async def includes(self, log_id: str, leaf: bytes) -> bool:
        """See `TransparencyLog.includes`."""
        return (log_id, leaf) in self.leaves
