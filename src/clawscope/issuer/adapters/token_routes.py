"""Routes that issue, preflight, introspect and judge tokens (tokens.md §2, §3, §7)."""

from __future__ import annotations

from clawscope.infra.http.call import Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.needs import PUBLIC, permission, permission_or_cst
from clawscope.issuer.adapters import wire
from clawscope.issuer.adapters.denials import Denials
from clawscope.issuer.adapters.replies import about_token, caller_of
from clawscope.issuer.domain import errors, events
from clawscope.issuer.domain.code_lists import BINDING_CODES, CALLER_CODES, CANONICAL_CODES, ISSUE_CODES, LEGACY_CODES, VERIFY_CODES
from clawscope.issuer.domain.request import CANONICAL, LEGACY
from clawscope.issuer.usecases.introspect_token import NOT_ACTIVE, IntrospectToken
from clawscope.issuer.usecases.issue_token import IssueToken
from clawscope.issuer.usecases.preflight import Preflight
from clawscope.issuer.usecases.remint_token import RemintToken
from clawscope.kernel.codes import INVALID_REQUEST, RATE_LIMITED


class TokenRoutes:
    """The handlers."""

    def __init__(self, issue: IssueToken, remint: RemintToken, introspect: IntrospectToken, preflight: Preflight, denials: Denials) -> None:
        self._issue = issue
        self._remint = remint
        self._introspect = introspect
        self._preflight = preflight
        self._denials = denials

    async def issue_legacy(self, call: Call) -> Reply:
        """`POST /v1/tokens/issue`."""
        return await self._issued(call, LEGACY)

    async def issue_canonical(self, call: Call) -> Reply:
        """`POST /v1/tokens/issue/canonical`."""
        return await self._issued(call, CANONICAL)

    async def _issued(self, call: Call, lane: str) -> Reply:
        answer = await self._issue(caller_of(call), lane, call.body)
        self._denials.metrics.token_issued(lane, answer["policy_tier"])
        return about_token(answer)

    async def introspect(self, call: Call) -> Reply:
        """`POST /v1/tokens/introspect`."""
        answer = await self._introspect(_token(call.body.token), call.body.expect)
        self._denials.seen(events.TOKEN_INTROSPECTED, call, token_hash=answer["token_hash"], active=answer["active"])
        return about_token(answer)

    async def matrix(self, call: Call) -> Reply:
        """`POST /v1/tokens/introspect/matrix`."""
        answer = await self._introspect.matrix(_token(call.body.token), call.body.transition)
        self._denials.seen(events.TOKEN_MATRIX_READ, call, token_hash=answer["token_hash"], active=answer["active"])
        return about_token(answer)

    async def preflight(self, call: Call) -> Reply:
        """`POST /v1/capabilities/preflight`."""
        answer = await self._preflight(caller_of(call), call.body)
        self._denials.seen(events.PREFLIGHT_ANSWERED, call, decision=answer["decision"], reason_code=answer["reason_code"])
        return about_token(answer)

    def endpoints(self) -> list[Endpoint]:
        """What is served."""
        return [*self._issuing(), *self._reading()]

    def _issuing(self) -> list[Endpoint]:
        refused = self._denials.recorded(events.TOKEN_ISSUE_DENIED)
        return [
            Endpoint(
                "POST", path, handler, permission("tokens:issue"), summary, "tokens", body=wire.IssueBody, answers={200: wire.IssuedBody},
                refusals=(*CALLER_CODES, *ISSUE_CODES, *more), idempotent=True, remint=self._remint, exact_numbers=True,
                otherwise=errors.ISSUE_FAILED, refused=refused,
            )
            for path, handler, summary, more in (
                ("/v1/tokens/issue/canonical", self.issue_canonical, "Issue a token whose chain is proved", CANONICAL_CODES),
                ("/v1/tokens/issue", self.issue_legacy, "Issue a token in the legacy lane", LEGACY_CODES),
            )
        ]  # fmt: skip

    def _reading(self) -> list[Endpoint]:
        refused = self._denials.buffered(events.TOKEN_INTROSPECT_DENIED)
        return [
            Endpoint(
                "POST", "/v1/tokens/introspect", self.introspect, PUBLIC, "Tell what a token is worth now", "tokens",
                body=wire.IntrospectBody,
                answers={200: wire.IntrospectedBody}, refusals=(*VERIFY_CODES, *BINDING_CODES, RATE_LIMITED), rated=True,
                refusal_extra=NOT_ACTIVE, refused=refused,
            ),
            Endpoint(
                "POST", "/v1/tokens/introspect/matrix", self.matrix, PUBLIC, "Tell which transitions a token permits", "tokens",
                body=wire.MatrixBody,
                answers={200: wire.MatrixAnswerBody}, refusals=(*VERIFY_CODES, errors.TRANSITION_UNKNOWN, RATE_LIMITED), rated=True,
                refusal_extra=NOT_ACTIVE, refused=refused,
            ),
            Endpoint(
                "POST", "/v1/capabilities/preflight", self.preflight, permission_or_cst("tokens:issue"),
                "Tell whether an issue would succeed", "tokens",
                body=wire.PreflightBody, answers={200: wire.PreflightAnswerBody}, refusals=(*CALLER_CODES, *VERIFY_CODES,
                *ISSUE_CODES), exact_numbers=True,
            ),
        ]  # fmt: skip


def _token(text: str) -> str:
    if not text.strip():
        raise INVALID_REQUEST("token: is missing or blank")
    return text
