"""Routes from a challenge to a scoped token (identity.md §9)."""

from __future__ import annotations

from clawscope.identity.adapters import wire
from clawscope.identity.adapters.doors import Doors
from clawscope.identity.adapters.reading import named, named_if_sent, signed_of
from clawscope.identity.domain import code_lists, errors
from clawscope.identity.domain.scope_challenge import LEAST_TTL_S, MOST_TTL_S, Scoped, tidy
from clawscope.identity.usecases.exchange_challenge import ExchangeChallenge, OpenScopeChallenge
from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.infra.http.endpoint import Endpoint

_OPTIONAL = (
    "controller_did",
    "agent_did",
    "owner_attestation_id",
    "mission_id",
    "run_id",
    "job_id",
    "policy_hash_b64u",
    "payment_account_did",
)


class ScopeRoutes:
    """The handlers."""

    def __init__(self, open_one: OpenScopeChallenge, exchange: ExchangeChallenge) -> None:
        self._open = open_one
        self._exchange = exchange

    async def open(self, call: Call) -> Reply:
        """`POST /v1/scoped-tokens/challenges`."""
        return Reply(await self._open(scoped_of(call.body)), headers=NO_STORE)

    async def exchange(self, call: Call) -> Reply:
        """`POST /v1/scoped-tokens/exchange`."""
        return Reply(await self._exchange(signed_of(call.body)), headers=NO_STORE)

    def endpoints(self, doors: Doors) -> list[Endpoint]:
        """What is served."""
        asking = (errors.OWNER_BINDING_REQUIRED, errors.INVALID_CANONICAL_CONTEXT, errors.OWNER_ATTESTATION_NOT_FOUND)
        return [
            doors.change("/v1/scoped-tokens/challenges", self.open, wire.ScopeChallengeBody, "Ask what to sign for a scoped token",
                         wire.ScopeChallengeAnswerBody, asking),
            doors.change("/v1/scoped-tokens/exchange", self.exchange, wire.SignedBody, "Exchange a signed challenge for a scoped token",
                         wire.StatusBody, code_lists.EXCHANGE),
        ]  # fmt: skip


def scoped_of(body: wire.ScopeChallengeBody) -> Scoped:
    """The token asked for: texts trimmed, lists sorted, the lifetime clamped."""
    optional = {name: named_if_sent(body, name) for name in _OPTIONAL}
    aud = [body.aud] if isinstance(body.aud, str) else body.aud
    ttl_s = max(LEAST_TTL_S, min(body.ttl_sec, MOST_TTL_S))
    return Scoped(named(body, "owner_did"), tidy(aud), tidy(body.scope), ttl_s, **optional)
