"""Client credentials: a long-lived credential is exchanged for a short-lived token (tokens.md §10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clawscope.issuer.domain.caller import Caller
from clawscope.issuer.domain.errors import UNAUTHORIZED_CLIENT
from clawscope.issuer.domain.request import CANONICAL, LEGACY, IssueFields
from clawscope.issuer.usecases.exchange_token import ISSUED_TYPE
from clawscope.issuer.usecases.issue_token import IssueToken


@dataclass(frozen=True, slots=True)
class ClientAsk:
    """The members of a client-credentials request, read from the form."""

    scope: tuple[str, ...]
    audience: tuple[str, ...]
    more: dict[str, Any]


class GrantClient:
    """With a chain (given, or the credential's own) canonical; else legacy with the credential's subject."""

    def __init__(self, issue: IssueToken) -> None:
        self._issue = issue

    async def __call__(self, caller: Caller, ask: ClientAsk) -> dict[str, Any]:
        """The OAuth answer. Raises `UNAUTHORIZED_CLIENT` for operator keys, else what an issue raises."""
        principal = caller.principal
        if principal.kind != "api_token":
            raise UNAUTHORIZED_CLIENT("client credentials are for API tokens; an operator key issues at /v1/tokens/issue")
        chain = {name: ask.more.get(name) or principal.claims.get(name) for name in ("owner_did", "controller_did", "agent_did")}
        lane = CANONICAL if chain["agent_did"] is not None else LEGACY
        subject = chain["agent_did"] if lane == CANONICAL else principal.subject
        members = {**ask.more, **(chain if lane == CANONICAL else {})}
        aud = ask.audience[0] if len(ask.audience) == 1 else list(ask.audience)
        fields = IssueFields(
            sub=subject or "", aud=aud, scope=list(ask.scope), **{name: value for name, value in members.items() if value is not None}
        )
        issued = await self._issue(caller, lane, fields)
        return {
            "access_token": issued["token"],
            "issued_token_type": ISSUED_TYPE,
            "token_type": "Bearer",
            "expires_in": issued["exp"] - issued["iat"],
            "scope": " ".join(issued["claims"]["scope"]),
            "token_hash": issued["token_hash"],
            "token_scope_hash_b64u": issued["token_scope_hash_b64u"],
            "jti": issued["jti"],
        }
