"""Who satisfies whose port: the map of all slices on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from clawscope.infra.db.tx import Tx
from clawscope.issuer.adapters.no_chains import NoChains
from clawscope.issuer.adapters.tier_file import FileTiers
from clawscope.issuer.domain import errors
from clawscope.issuer.domain.chain import ChainRecord, ChainUnusable, read_chain
from clawscope.issuer.domain.keyring import REVOKED
from clawscope.issuer.ports import Chains
from clawscope.issuer.settings import IssuerSettings
from clawscope.issuer.wiring import Issuer, Neighbours
from clawscope.kernel.errors import Refusal
from clawscope.protocol.keys import SigningKey


class OffersChains(Protocol):
    """What identity offers: the body of its chain read."""

    async def chain(self, controller_did: str, agent_did: str) -> Mapping[str, Any]:
        """Raises a 404 refusal for an unknown chain."""
        ...


def issuer_neighbours(settings: IssuerSettings, identity: OffersChains | None = None) -> Neighbours:
    """What the issuer meets outside itself."""
    return Neighbours(
        chains=_chains(settings, identity),
        tiers=FileTiers(settings),
        policies=None,  # nobody yet: with `require_known_policy` every pin is unknown
        log=None,  # nobody yet: rows wait behind their cursor
        api_tokens=None,  # nobody yet: every API token is unknown
    )


class ChainsHere:
    """issuer.Chains ← identity in this process."""

    def __init__(self, identity: OffersChains) -> None:
        self._identity = identity

    async def chain(self, controller_did: str, agent_did: str) -> ChainRecord:
        """See `Chains.chain`."""
        try:
            body = await self._identity.chain(controller_did, agent_did)
        except Refusal as refusal:
            if refusal.code.status != 404:
                raise
            details = {"upstream_status": 404, "upstream_error": refusal.code.name}
            raise errors.CONTROL_CHAIN_NOT_FOUND("register the controller and the agent first", details=details) from None
        try:
            return read_chain(body)
        except ChainUnusable as unusable:
            raise errors.CONTROL_CHAIN_LOOKUP_FAILED(str(unusable)) from None


class IssuerCutOffs:
    """identity.CutOffs ← the issuer's revocations, in identity's own transaction."""

    def __init__(self) -> None:
        self._issuer: Issuer | None = None

    def connect(self, issuer: Issuer) -> None:
        """Each of the two needs the other: identity is made first, the issuer introduced before anything is served."""
        self._issuer = issuer

    def cut_off(self, transaction: Tx, dimension: str, value: str, reason: str) -> None:
        """See `CutOffs.cut_off`."""
        assert self._issuer is not None  # introduced before anything is served
        self._issuer.end_tokens(transaction, dimension, value, reason)


class IssuerStatementKeys:
    """identity.StatementKeys ← the issuer's statement keys; a revoked key vouches for nothing."""

    def __init__(self) -> None:
        self._issuer: Issuer | None = None

    def connect(self, issuer: Issuer) -> None:
        """Introduced before anything is served."""
        self._issuer = issuer

    def current(self) -> tuple[str, SigningKey] | None:
        """The key that signs now; `None` while there is none."""
        assert self._issuer is not None  # introduced before anything is served
        keyring = self._issuer.view.keyring
        return keyring.signer("statement") if keyring.can_sign("statement") else None

    def public(self, kid: str) -> bytes | None:
        """The public key of a kid that signed statements."""
        assert self._issuer is not None  # introduced before anything is served
        record = self._issuer.view.keyring.records.get(kid)
        return record.public if record is not None and record.purpose == "statement" and record.state != REVOKED else None


def _chains(settings: IssuerSettings, identity: OffersChains | None) -> Chains:
    if settings.identity_url is None:
        return NoChains() if identity is None else ChainsHere(identity)
    from clawscope.issuer.adapters.chain_lookup import HttpChains  # an HTTP client only where one is needed

    return HttpChains(settings.identity_url, settings.chain_lookup_timeout_ms)
