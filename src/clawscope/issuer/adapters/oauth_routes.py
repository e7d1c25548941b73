"""The OAuth face: token, introspection, revocation, metadata (tokens.md §9, §10; RFC 7009, 7662, 8414, 8693, 9728)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import msgspec

from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.needs import PUBLIC, judged_inside
from clawscope.issuer.adapters import oauth_forms, oauth_wire
from clawscope.issuer.adapters.credentials import Credentials, bearer
from clawscope.issuer.adapters.denials import Denials
from clawscope.issuer.adapters.gate import CONTROL_SCOPES
from clawscope.issuer.adapters.replies import caller_of
from clawscope.issuer.domain import errors, events
from clawscope.issuer.domain.code_lists import CALLER_CODES, VERIFY_CODES
from clawscope.issuer.usecases.exchange_token import ExchangeToken
from clawscope.issuer.usecases.grant_client import GrantClient
from clawscope.issuer.usecases.read_token import ReadToken
from clawscope.issuer.usecases.revoke_token import RevokeToken
from clawscope.kernel.codes import FORBIDDEN, INVALID_REQUEST, UNAUTHORIZED
from clawscope.kernel.errors import Refusal
from clawscope.kernel.principal import ANONYMOUS, Principal, Reach
from clawscope.protocol.claims import audiences
from clawscope.protocol.codes import REVOCATION_UNAVAILABLE
from clawscope.protocol.verdict import Denied

_INACTIVE = {"active": False}
_NO_STORE = {**NO_STORE, "Pragma": "no-cache"}
_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]
_EXCHANGE_CODES = (
    errors.EXCHANGE_SCOPE_WIDENED, errors.EXCHANGE_AUDIENCE_WIDENED, errors.EXCHANGE_TTL_WIDENED, errors.EXCHANGE_SPEND_CAP_WIDENED,
    errors.EXCHANGE_BINDING_CHANGED, errors.EXCHANGE_DEPTH_EXCEEDED, errors.EXCHANGE_LIMIT, errors.EXCHANGE_ACTOR_NOT_ALLOWED,
    errors.UNSUPPORTED_GRANT_TYPE, errors.UNSUPPORTED_TOKEN_TYPE, errors.UNAUTHORIZED_CLIENT,
)  # fmt: skip


class OAuthRoutes:
    """The handlers. Clients authenticate here, since OAuth takes credentials from the form too."""

    def __init__(
        self, credentials: Credentials, exchange: ExchangeToken, grant: GrantClient, read: ReadToken, revoke: RevokeToken,
        denials: Denials, issuer_url: str,
        audience: str,
    ) -> None:  # fmt: skip
        self._credentials = credentials
        self._exchange = exchange
        self._grant = grant
        self._read = read
        self._revoke = revoke
        self._denials = denials
        self._issuer = issuer_url
        self._resource = audience

    async def token(self, call: Call) -> Reply:
        """`POST /oauth2/token`."""
        form: oauth_wire.TokenForm = call.body
        client = await self._credentials.client(call, form.client_id, form.client_secret, None)
        call.principal = client or ANONYMOUS
        if form.grant_type == oauth_forms.EXCHANGE:
            oauth_forms.judge_exchange(form)
            answer = await self._exchange(caller_of(call), form.subject_token or "", form.actor_token, oauth_forms.narrowing(form))
            return Reply(answer, headers=_NO_STORE)
        if form.grant_type == oauth_forms.CLIENT_CREDENTIALS:
            if client is None:
                raise UNAUTHORIZED("authenticate the client")
            return Reply(await self._grant(caller_of(call), oauth_forms.client_ask(form)), headers=_NO_STORE)
        if not form.grant_type:
            raise INVALID_REQUEST("grant_type is required")
        raise errors.UNSUPPORTED_GRANT_TYPE(f"offered: {oauth_forms.EXCHANGE}, {oauth_forms.CLIENT_CREDENTIALS}")

    async def introspect(self, call: Call) -> Reply:
        """`POST /oauth2/introspect` (RFC 7662): exactly `{"active":false}` for anything not live."""
        form: oauth_wire.OAuthTokenRefForm = call.body
        client = await self._client(call, form)
        if not client.may("tokens:introspect"):
            raise FORBIDDEN("this needs the permission tokens:introspect")
        if not form.token:
            raise INVALID_REQUEST("token is required")
        judged = await self._read.live(form.token)
        if isinstance(judged, Denied):
            if judged.code is REVOCATION_UNAVAILABLE:
                raise judged.code()
            return Reply(_INACTIVE, headers=_NO_STORE)
        served = set(client.claims.get("audiences", ()))
        if not client.may("tokens:introspect_any") and not served.intersection(audiences(judged.claims)):
            return Reply(_INACTIVE, headers=_NO_STORE)
        claims: dict[str, Any] = msgspec.to_builtins(judged.claims)
        claims["scope"] = " ".join(judged.claims.scope)
        self._denials.seen(events.TOKEN_INTROSPECTED, call, token_hash=judged.token_hash, active=True)
        return Reply({"active": True, "token_type": "Bearer", **claims}, headers=_NO_STORE)

    async def revoke(self, call: Call) -> Reply:
        """`POST /oauth2/revoke` (RFC 7009): 200 and empty after the commit, also for unknown tokens."""
        form: oauth_wire.OAuthTokenRefForm = call.body
        if not form.token:
            raise INVALID_REQUEST("token is required")
        own = bearer(call) == form.token
        call.principal = await self._holder(form.token) if own else _revoking(await self._client(call, form))
        try:
            await self._revoke(caller_of(call), token=form.token, token_hash=None, jti=None, reason="oauth2/revoke")
        except Refusal as refusal:
            if refusal.code is errors.REVOKE_NOT_ALLOWED:
                raise errors.UNAUTHORIZED_CLIENT("the token was issued to another client") from None
            if refusal.code is not errors.INVALID_TOKEN:
                raise
        return Reply(None, headers=_NO_STORE)

    async def server_metadata(self, call: Call) -> Reply:
        """`GET /.well-known/oauth-authorization-server` (RFC 8414)."""
        base = self._issuer
        body = oauth_wire.AuthorizationServerBody(
            issuer=base,
            token_endpoint=f"{base}/oauth2/token",
            introspection_endpoint=f"{base}/oauth2/introspect",
            revocation_endpoint=f"{base}/oauth2/revoke",
            jwks_uri=f"{base}/.well-known/jwks.json",
            grant_types_supported=[oauth_forms.EXCHANGE, oauth_forms.CLIENT_CREDENTIALS],
            response_types_supported=[],
            scopes_supported=list(CONTROL_SCOPES),
            token_endpoint_auth_methods_supported=_AUTH_METHODS,
            introspection_endpoint_auth_methods_supported=_AUTH_METHODS[:2],
            revocation_endpoint_auth_methods_supported=_AUTH_METHODS,
        )
        return Reply(body, headers={"Cache-Control": "public, max-age=300"})

    async def resource_metadata(self, call: Call) -> Reply:
        """`GET /.well-known/oauth-protected-resource` (RFC 9728)."""
        body = oauth_wire.ProtectedResourceBody(self._resource, [self._issuer], list(CONTROL_SCOPES), ["header"])
        return Reply(body, headers={"Cache-Control": "public, max-age=300"})

    async def _client(self, call: Call, form: oauth_wire.OAuthTokenRefForm) -> Principal:
        client = await self._credentials.client(call, form.client_id, form.client_secret, None)
        if client is None:
            raise UNAUTHORIZED("authenticate the client")
        return client

    async def _holder(self, token: str) -> Principal:
        """A live token presented for its own revocation."""
        judged = await self._read(token)
        if isinstance(judged, Denied):
            raise UNAUTHORIZED("the token is not one of ours, or no longer live")
        verified = judged.verified
        return Principal("cst", verified.claims.sub, f"cst:{verified.claims.jti}", reach=Reach(), token_hash=verified.token_hash)

    def endpoints(self) -> list[Endpoint]:
        """What is served."""
        path = urlsplit(self._issuer).path.rstrip("/")
        common: dict[str, Any] = {"tag": "oauth", "form": True, "shape": "oauth"}
        exchanged = self._denials.recorded(events.TOKEN_EXCHANGE_DENIED)
        unread = self._denials.buffered(events.TOKEN_INTROSPECT_DENIED)
        client = judged_inside("an authenticated client (operator key or API token)")
        return [
            Endpoint("POST", "/oauth2/token", self.token, judged_inside("possession of the subject token, or an authenticated client"),
                     "Exchange or obtain a token", body=oauth_wire.TokenForm, answers={200: oauth_wire.OAuthTokenBody},
                     refusals=(*CALLER_CODES, *VERIFY_CODES, *_EXCHANGE_CODES), refused=exchanged, **common),
            Endpoint("POST", "/oauth2/introspect", self.introspect, client, "Introspect a token (RFC 7662)",
                     body=oauth_wire.OAuthTokenRefForm, answers={200: oauth_wire.OAuthActiveBody},
                     refusals=CALLER_CODES, refused=unread, **common),
            Endpoint("POST", "/oauth2/revoke", self.revoke,
                     judged_inside("the client the token was issued to, an operator, or the token itself"),
                     "Revoke a token (RFC 7009)", body=oauth_wire.OAuthTokenRefForm, answers={200: None}, refusals=(*CALLER_CODES,
                     errors.UNAUTHORIZED_CLIENT),
                     refused=self._denials.recorded(events.ACCESS_DENIED), **common),
            Endpoint("GET", "/.well-known/oauth-authorization-server" + path, self.server_metadata, PUBLIC,
                     "Authorization server metadata", "oauth",
                     answers={200: oauth_wire.AuthorizationServerBody}),
            Endpoint("GET", "/.well-known/oauth-protected-resource", self.resource_metadata, PUBLIC, "Protected resource metadata",
                     "oauth",
                     answers={200: oauth_wire.ProtectedResourceBody}),
        ]  # fmt: skip


def _revoking(client: Principal) -> Principal:
    """A client without `tokens:revoke` reaches no further than the tokens issued to itself."""
    if client.may("tokens:revoke"):
        return client
    return replace(client, reach=Reach(client_id=client.claims.get("client_id", client.credential)))
