"""Public routes by which verifiers learn the keys: cacheable, the same view in every answer (keys.md §4, §6)."""

from __future__ import annotations

from clawscope.infra.http.call import Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.needs import PUBLIC
from clawscope.issuer.adapters import key_wire as wire
from clawscope.issuer.domain import key_errors as errors
from clawscope.issuer.usecases.keys.read_history import ReadHistory
from clawscope.issuer.usecases.keys.read_keys import Document, ReadKeys
from clawscope.protocol.codes import SIGNING_NOT_CONFIGURED

_NO_CACHE = "no-cache"
_JWKS_TYPE = "application/jwk-set+json"
_DID_TYPE = "application/did+json"


class DiscoveryRoutes:
    """The handlers."""

    def __init__(self, keys: ReadKeys, history: ReadHistory, jwks_max_age_s: int) -> None:
        self._keys = keys
        self._history = history
        self._public = f"public, max-age={jwks_max_age_s}"

    async def jwks(self, call: Call) -> Reply:
        """`GET /v1/jwks`."""
        return conditional(call, await self._keys.jwks(), self._public)

    async def well_known_jwks(self, call: Call) -> Reply:
        """`GET /.well-known/jwks.json`: the same bytes."""
        return conditional(call, await self._keys.jwks(), self._public, _JWKS_TYPE)

    async def statements(self, call: Call) -> Reply:
        """`GET /v1/jwks/statements`."""
        return conditional(call, await self._keys.statement_jwks(), self._public)

    async def contract(self, call: Call) -> Reply:
        """`GET /v1/keys/rotation-contract`."""
        return conditional(call, await self._keys.contract(), _NO_CACHE)

    async def did(self, call: Call) -> Reply:
        """`GET /v1/did`."""
        return conditional(call, await self._keys.did(), self._public)

    async def did_document(self, call: Call) -> Reply:
        """`GET /.well-known/did.json`."""
        return conditional(call, await self._keys.did_document(), self._public, _DID_TYPE)

    async def latest(self, call: Call) -> Reply:
        """`GET /v1/keys/transparency/latest`."""
        return conditional(call, await self._history.latest(), _NO_CACHE)


def conditional(call: Call, document: Document, cache: str, media_type: str = "application/json") -> Reply:
    """The document, or 304 without a body where `If-None-Match` names it (RFC 9110 §13.1.2: weak comparison)."""
    headers = {"ETag": document.etag, "Cache-Control": cache, "X-Keyset-Sequence": str(document.sequence)}
    asked = call.header("If-None-Match")
    if asked is not None and (asked.strip() == "*" or document.etag in (tag.strip().removeprefix("W/") for tag in asked.split(","))):
        return Reply(None, 304, headers, media_type)
    return Reply(document.body, 200, headers, media_type)


def discovery_routes(keys: ReadKeys, history: ReadHistory, jwks_max_age_s: int) -> list[Endpoint]:
    """The public key routes."""
    routes = DiscoveryRoutes(keys, history, jwks_max_age_s)
    unreadable = (errors.SIGNING_CONFIG_INVALID,)
    unset = (SIGNING_NOT_CONFIGURED, *unreadable)
    return [
        Endpoint("GET", "/v1/jwks", routes.jwks, PUBLIC, "The accepted token keys", "discovery",
                 answers={200: wire.JwksBody, 304: None}, refusals=unset),
        Endpoint("GET", "/.well-known/jwks.json", routes.well_known_jwks, PUBLIC, "The accepted token keys", "discovery",
                 answers={200: wire.JwksBody, 304: None}, refusals=unset, media_type=_JWKS_TYPE),
        Endpoint("GET", "/v1/jwks/statements", routes.statements, PUBLIC, "The keys of the other purposes", "discovery",
                 answers={200: wire.JwksBody, 304: None}, refusals=unreadable),
        Endpoint("GET", "/v1/keys/rotation-contract", routes.contract, PUBLIC, "Which keys sign and verify, and until when", "discovery",
                 answers={200: wire.ContractBody, 304: None}, refusals=unset),
        Endpoint("GET", "/v1/did", routes.did, PUBLIC, "The active token key under the issuer's DID", "discovery",
                 answers={200: wire.DidBody, 304: None}, refusals=(*unset, errors.SIGNING_NOT_READY)),
        Endpoint("GET", "/.well-known/did.json", routes.did_document, PUBLIC, "The issuer's DID document", "discovery",
                 answers={200: dict, 304: None}, refusals=unset, media_type=_DID_TYPE),
        Endpoint("GET", "/v1/keys/transparency/latest", routes.latest, PUBLIC, "The newest key snapshot", "discovery",
                 answers={200: dict, 304: None}, refusals=(errors.KEY_TRANSPARENCY_UNAVAILABLE,)),
    ]  # fmt: skip
