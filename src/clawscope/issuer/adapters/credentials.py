"""Reading credentials from a request: operator keys, API tokens, capability tokens, OAuth client authentication."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus

from clawscope.infra.http.call import Call
from clawscope.issuer.ports import ApiTokens
from clawscope.kernel.codes import UNAUTHORIZED
from clawscope.kernel.ids import random_bytes
from clawscope.kernel.principal import Principal, operator
from clawscope.kernel.secret import Secret, keyed_hash
from clawscope.protocol.codes import TOKEN_MALFORMED


class OperatorKeys:
    """The named operator keys, compared as keyed hashes in constant time; every key is looked at, whichever matches."""

    def __init__(self, keys: Mapping[str, Secret]) -> None:
        self._pepper = random_bytes(32)
        self._hashes = [(name, keyed_hash(self._pepper, secret.reveal())) for name, secret in keys.items()]

    def find(self, presented: str, name: str | None = None) -> Principal | None:
        """The operator whose key was presented (and whose name, where one is claimed), if any."""
        shown = keyed_hash(self._pepper, presented)
        found: str | None = None
        for known, kept in self._hashes:
            if hmac.compare_digest(kept, shown) and name in (None, known):
                found = known
        return None if found is None else operator(found)


class NoApiTokens:
    """API tokens before slice `access` is connected: every one is unknown."""

    async def principal(self, token: str, permission: str | None) -> Principal:
        """Refuses always."""
        raise UNAUTHORIZED("no such credential")


class Credentials:
    """Who presents what. Raises 401 `UNAUTHORIZED` for a credential nobody here knows."""

    def __init__(self, operators: OperatorKeys, api_tokens: ApiTokens) -> None:
        self._operators = operators
        self._api_tokens = api_tokens

    def operator(self, call: Call) -> Principal | None:
        """The operator whose key stands as Bearer, if any."""
        presented = bearer(call)
        return None if presented is None else self._operators.find(presented)

    async def holder(self, call: Call, permission: str | None) -> Principal:
        """An operator, or an API token holding the permission. The scheme word is required."""
        presented = bearer(call)
        if presented is None:
            raise UNAUTHORIZED("send Authorization: Bearer with an operator key or API token")
        return self._operators.find(presented) or await self._api_tokens.principal(presented, permission)

    async def client(self, call: Call, client_id: str | None, client_secret: str | None, permission: str | None) -> Principal | None:
        """An OAuth client by Bearer, Basic or `client_secret_post` (tokens.md §10); `None` when nothing was presented."""
        header = call.header("Authorization")
        if header is not None and client_secret is not None:
            raise UNAUTHORIZED("authenticate the client in one way only")
        if header is not None and header[:6].lower() == "basic ":
            client_id, client_secret = _basic(header[6:])
        elif header is not None:
            return await self.holder(call, permission)
        if client_secret is None:
            return None
        return self._operators.find(client_secret, client_id) or await self._api_tokens.principal(client_secret, permission)


def bearer(call: Call) -> str | None:
    """The value of `Authorization: Bearer`, if that is what stands there."""
    header = call.header("Authorization")
    if header is None or header[:7].lower() != "bearer ":
        return None
    return header[7:].strip(" ") or None


def capability(call: Call) -> str | None:
    """The CST of a request: `X-CST`, else `X-Scoped-Token`, else a Bearer value with exactly two dots (tokens.md §5, 1 and 2).

    Raises 401 `TOKEN_MALFORMED` when the two headers differ.
    """
    own, scoped = call.header("X-CST"), call.header("X-Scoped-Token")
    if own is not None and scoped is not None and own != scoped:
        raise TOKEN_MALFORMED("X-CST and X-Scoped-Token differ", fix="send one of them")
    found = own if own is not None else scoped
    if found is not None:
        return found
    presented = bearer(call)
    return presented if presented is not None and presented.count(".") == 2 else None


def _basic(value: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        name, colon, secret = text.partition(":")
    except ValueError:
        raise UNAUTHORIZED("the Basic credential is not well-formed") from None
    if not colon or not name or not secret:
        raise UNAUTHORIZED("the Basic credential is not well-formed")
    return unquote_plus(name), unquote_plus(secret)
