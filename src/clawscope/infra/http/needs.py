"""Who may call an endpoint; every endpoint says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from clawscope.infra.http.call import Call
    from clawscope.kernel.principal import Principal


@dataclass(frozen=True, slots=True)
class Needs:
    """`kind` is `public`, `permission` (operator key or API token holding it), `protected` (a CST covering one of `scopes`),
    `issuer_or_cst` (permission, or any live CST) or `own` (the route authenticates its caller itself, as `/oauth2/*` must)."""

    kind: str
    permission: str | None = None
    scopes: tuple[str, ...] = ()
    transition: str | None = None

    def sentence(self) -> str:
        """For people: who may call."""
        if self.kind == "permission":
            return f"permission `{self.permission}`"
        if self.kind == "protected":
            return "a canonical CST covering " + " or ".join(f"`{scope}`" for scope in self.scopes)
        if self.kind == "issuer_or_cst":
            return f"permission `{self.permission}`, or a live CST"
        return "anybody" if self.kind == "public" else str(self.permission)


PUBLIC = Needs("public")


def permission(name: str) -> Needs:
    """An operator key, or an API token whose effective permissions include `name`."""
    return Needs("permission", name)


def protected(*scopes: str, transition: str | None = None) -> Needs:
    """A protected route (tokens.md §5): a canonical CST covering one of `scopes`, its transition allowed."""
    return Needs("protected", None, scopes, transition)


def permission_or_cst(name: str) -> Needs:
    """Whoever holds the permission, or a live CST acting for itself."""
    return Needs("issuer_or_cst", name)


def judged_inside(sentence: str) -> Needs:
    """The route judges its own credential (client authentication, possession of a token); `sentence` says how."""
    return Needs("own", sentence)


class Gate(Protocol):
    """Admits a caller to an endpoint or raises the refusal."""

    async def __call__(self, needs: Needs, call: Call) -> Principal:
        """The principal calling. Raises 401 and 403 refusals."""
        ...
