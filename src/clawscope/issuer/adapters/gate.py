"""Admits callers to routes: permissions, live CSTs, and the numbered checks of protected routes (tokens.md §5)."""

from __future__ import annotations

from typing import Any

import msgspec

from clawscope.infra.http.call import Call
from clawscope.infra.http.needs import Needs
from clawscope.issuer.adapters.credentials import Credentials, capability
from clawscope.issuer.domain import errors
from clawscope.issuer.ports import Store
from clawscope.issuer.usecases.read_token import ReadToken
from clawscope.kernel.codes import FORBIDDEN, UNAUTHORIZED
from clawscope.kernel.errors import Refusal
from clawscope.kernel.principal import ANONYMOUS, Principal, Reach
from clawscope.protocol import matrix
from clawscope.protocol.claims import CANONICAL, audiences, lane
from clawscope.protocol.codes import TOKEN_AUD_MISMATCH, TOKEN_CONTROL_CHAIN_MISSING, TOKEN_INSUFFICIENT_SCOPE
from clawscope.protocol.scope import any_covers
from clawscope.protocol.verdict import Denied
from clawscope.protocol.verify_token import Verified

CONTROL_SCOPES = (
    "control:audit:read",
    "control:revocations:read",
    "control:token:revoke",
    "control:token:issue_sensitive",
    "control:key:rotate",
)
# Only whoever acts for the whole platform moves keys (§5, 8).
_PLATFORM_TRANSITIONS = frozenset({"key.rotate"})


class Gatekeeper:
    """The `Gate` of the issuer's routes."""

    def __init__(
        self, credentials: Credentials, read: ReadToken, store: Store, *, mode: str, own_audiences: frozenset[str], issuer_url: str
    ) -> None:
        self._credentials = credentials
        self._read = read
        self._store = store
        self._mode = mode
        self._audiences = own_audiences
        self._challenge = f'Bearer resource_metadata="{issuer_url}/.well-known/oauth-protected-resource"'

    async def __call__(self, needs: Needs, call: Call) -> Principal:
        """See `Gate`. Every 401 carries `WWW-Authenticate`."""
        try:
            return await self._admit(needs, call)
        except Refusal as refusal:
            if refusal.code.status == 401:
                sent = call.header("Authorization") is not None or call.header("X-CST") is not None
                error = ', error="invalid_token"' if sent or needs.kind == "protected" else ""
                refusal.headers = {**refusal.headers, "WWW-Authenticate": self._challenge + error}
            raise

    async def _admit(self, needs: Needs, call: Call) -> Principal:
        if needs.kind == "protected":
            return await self._protected(needs, call)
        if needs.kind == "own":
            return ANONYMOUS
        if needs.kind == "issuer_or_cst" and (token := capability(call)) is not None:
            return await self._principal(await self._live(token))
        principal = await self._credentials.holder(call, needs.permission)
        if needs.permission is not None and not principal.may(needs.permission):
            raise FORBIDDEN(f"this needs the permission {needs.permission}")
        return principal

    async def _protected(self, needs: Needs, call: Call) -> Principal:
        if self._mode != "canonical_cst":
            found = self._credentials.operator(call)
            if found is not None:
                return found
            if self._mode == "admin_token":
                raise UNAUTHORIZED("this server takes an operator key here", fix="send Authorization: Bearer with an operator key")
        token = capability(call)  # 1, 2
        if token is None:
            if call.header("Authorization") is None:
                raise errors.TOKEN_REQUIRED("send a CST in X-CST or as Bearer")
            if self._mode == "either":
                raise UNAUTHORIZED("no such operator key")
            raise errors.LEGACY_AUTH_FORBIDDEN("send a CST in X-CST or as Bearer")
        verified = await self._live(token)  # 3
        claims = verified.claims
        chain = (claims.owner_did, claims.controller_did, claims.agent_did)
        if None in chain or lane(claims) != CANONICAL:  # 4
            raise TOKEN_CONTROL_CHAIN_MISSING("use a token of the canonical lane")
        if not self._audiences.intersection(audiences(claims)):  # 5
            raise TOKEN_AUD_MISMATCH("the token's audience is not this issuer")
        if not any(any_covers(claims.scope, wanted) for wanted in needs.scopes):  # 6
            raise TOKEN_INSUFFICIENT_SCOPE("this needs " + " or ".join(needs.scopes))
        if needs.transition is not None and not matrix.judge(claims, revoked=False)[needs.transition].allowed:  # 7
            raise errors.TOKEN_CONTROL_TRANSITION_FORBIDDEN(f"transition {needs.transition} is not open to this token")
        principal = await self._principal(verified)  # 8
        if needs.transition in _PLATFORM_TRANSITIONS and not principal.reach.everything:
            raise FORBIDDEN("this token was not issued by an operator")
        return principal

    async def _live(self, token: str) -> Verified:
        judged = await self._read.live(token)
        if isinstance(judged, Denied):
            raise judged.code(judged.detail)
        return judged

    async def _principal(self, verified: Verified) -> Principal:
        """The caller a CST stands for; its reach is read from the issuance row, never from the token."""
        claims: dict[str, Any] = msgspec.to_builtins(verified.claims)
        row = await self._store.look(lambda work: work.issuances.by_hash(verified.token_hash))
        reach = row.granted_reach() if row is not None else Reach()
        kept = {**claims, **{name: row.claims[name] for name in ("client_id", "org_id") if row is not None and name in row.claims}}
        held = frozenset(wanted for wanted in CONTROL_SCOPES if any_covers(verified.claims.scope, wanted))
        return Principal("cst", claims["sub"], f"cst:{verified.claims.jti}", held, reach, kept, verified.token_hash)
