"""Read what is published of keys: one view in every answer, encoded once per change (keys.md §4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from clawscope.issuer.domain import key_documents
from clawscope.issuer.domain.key_errors import SIGNING_CONFIG_INVALID, SIGNING_NOT_READY
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import VERIFY_ONLY, Keyring
from clawscope.issuer.domain.rotation_contract import contract, key_state
from clawscope.issuer.ports import View
from clawscope.kernel.clock import Clock
from clawscope.kernel.errors import Refusal
from clawscope.protocol.codes import SIGNING_NOT_CONFIGURED
from clawscope.protocol.digest import sha256_b64u

Make = Callable[[Keyring, int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Document:
    """An encoded answer, its strong entity tag (quoted), and the key set's sequence it shows."""

    body: bytes
    etag: str
    sequence: int


def document(body: bytes, sequence: int) -> Document:
    """The document of these bytes."""
    return Document(body, f'"{sha256_b64u(body)}"', sequence)


class ReadKeys:
    """Every answer is of the newest committed key set; nothing is written."""

    def __init__(self, view: View, clock: Clock, rules: KeyRules, did: str) -> None:
        self._view = view
        self._clock = clock
        self._rules = rules
        self._did = did
        self._keyring: Keyring | None = None
        self._good_until = 0
        self._made: dict[str, Document] = {}

    async def jwks(self) -> Document:
        """The JWK set of token keys. Raises 503 `SIGNING_NOT_CONFIGURED` (no token key), `SIGNING_CONFIG_INVALID` (unreadable)."""
        return await self._document("jwks", self._jwks)

    async def contract(self) -> Document:
        """The rotation contract. Raises as `jwks`."""
        return await self._document("contract", self._contract)

    async def statement_jwks(self) -> Document:
        """The keys of the other purposes. Raises 503 `SIGNING_CONFIG_INVALID`."""
        return await self._document("statements", lambda keyring, _: key_documents.statement_jwks(keyring))

    async def did(self) -> Document:
        """The active token key under the issuer's DID. Raises as `jwks`, and 503 `SIGNING_NOT_READY` while none may sign yet."""
        return await self._document("did", self._did_body)

    async def did_document(self) -> Document:
        """The did:web document. Raises as `jwks`."""
        return await self._document("did_document", self._did_document)

    async def keys(self, purpose: str | None) -> list[dict[str, Any]]:
        """Every key ever known, or those of a purpose, as operators see them. Raises 503 `SIGNING_CONFIG_INVALID`."""
        keyring = await self._newest()
        purposes = dict.fromkeys(record.purpose for record in keyring.records.values())
        wanted = [purpose] if purpose is not None else purposes
        return [key_documents.key_view(record) for one in wanted for record in keyring.of(one)]

    async def _document(self, name: str, make: Make) -> Document:
        keyring = await self._newest()
        now = self._clock.now()
        if keyring is not self._keyring or now > self._good_until:
            self._keyring, self._made = keyring, {}
            self._good_until = _good_until(keyring, now)
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = document(msgspec.json.encode(make(keyring, now)), keyring.sequence)
        return made

    async def _newest(self) -> Keyring:
        try:
            return (await self._view.fresh()).keyring
        except Refusal as refusal:
            raise SIGNING_CONFIG_INVALID("the key set cannot be read; retry in a moment") from refusal

    def _jwks(self, keyring: Keyring, now: int) -> dict[str, Any]:
        _refuse_none(keyring, now)
        return key_documents.jwks(keyring, now)

    def _contract(self, keyring: Keyring, now: int) -> dict[str, Any]:
        _refuse_none(keyring, now)
        return contract(key_state(keyring.records.values(), now, self._rules.overlap_s))

    def _did_body(self, keyring: Keyring, now: int) -> dict[str, Any]:
        _refuse_none(keyring, now)
        active = keyring.active("token")
        if active is None:
            raise SIGNING_NOT_READY("no token key may sign yet")
        return key_documents.did_body(self._did, active)

    def _did_document(self, keyring: Keyring, now: int) -> dict[str, Any]:
        _refuse_none(keyring, now)
        return key_documents.did_document(self._did, keyring, now)


def _refuse_none(keyring: Keyring, now: int) -> None:
    if not keyring.accepted("token", now):
        raise SIGNING_NOT_CONFIGURED("there is no token key")


def _good_until(keyring: Keyring, now: int) -> int:
    """The last second for which documents made now stay true: the next cut-off."""
    verifying = (record for record in keyring.records.values() if record.state == VERIFY_ONLY)
    cut_offs = [record.not_after_unix for record in verifying if record.not_after_unix is not None]
    return min((cut_off for cut_off in cut_offs if cut_off >= now), default=2**62)
