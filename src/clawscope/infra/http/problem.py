"""The one renderer of refusals: RFC 9457 problem documents, and OAuth errors (RFC 6749 §5.2). The only place that catches everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from clawscope.infra.http.call import Call, Reply, StreamReply
from clawscope.infra.telemetry.logs import get_logger
from clawscope.kernel.codes import INTERNAL_ERROR
from clawscope.kernel.errors import Code, Refusal

_log = get_logger("http")

# OAuth's few words for our many codes (tokens.md §10); everything else of status 400 is `invalid_request`.
_SCOPE_CODES = frozenset({"SCOPE_TOO_LARGE", "SCOPE_ITEM_TOO_LONG", "SCOPE_INVALID", "SCOPE_NOT_ALLOWED", "SCOPE_WILDCARD_NOT_ALLOWED",
                          "EXCHANGE_SCOPE_WIDENED", "SENSITIVE_SCOPE_NOT_ALLOWED", "LEGACY_SENSITIVE_SCOPE_FORBIDDEN",
                          "ISSUER_SCOPE_EXCEEDED"})  # fmt: skip
_TARGET_CODES = frozenset({"AUDIENCE_NOT_ALLOWED", "EXCHANGE_AUDIENCE_WIDENED"})
_CALLER_CODES = frozenset(
    {"FORBIDDEN", "TIER_NOT_ALLOWED", "LEGACY_EXCHANGE_DISABLED", "TOKEN_LANE_MISMATCH", "TOKEN_LANE_INVALID", "SUBJECT_CUT_OFF"}
)
_OWN_WORDS = {
    "UNSUPPORTED_GRANT_TYPE": "unsupported_grant_type",
    "UNSUPPORTED_TOKEN_TYPE": "unsupported_token_type",
    "UNAUTHORIZED_CLIENT": "unauthorized_client",
}


async def rendered(
    call: Call, run: Callable[[], Awaitable[Reply | StreamReply]], shape: str, extra: Any, base_url: str, otherwise: Code = INTERNAL_ERROR
) -> tuple[Reply | StreamReply, Code | None]:
    """Run a handler; a refusal becomes its answer, any other exception becomes `otherwise`, a 500 that tells nothing but the request id."""
    try:
        return await run(), None
    except Refusal as refusal:
        return refusal_reply(refusal, call.request_id, shape, extra, base_url), refusal.code
    except Exception:
        _log.exception("unexpected", route=call.route, request_id=call.request_id)
        return refusal_reply(otherwise(), call.request_id, shape, extra, base_url), otherwise


def refusal_reply(refusal: Refusal, request_id: str, shape: str, extra: Any, base_url: str) -> Reply:
    """The answer for a refusal in the shape its surface speaks."""
    headers = {"Cache-Control": "no-store", **refusal.headers}
    if refusal.code.retry_after_s is not None:
        headers.setdefault("Retry-After", str(refusal.code.retry_after_s))
    if shape == "oauth":
        return _oauth(refusal, headers)
    body: dict[str, Any] = {
        "type": f"{base_url}/problems/{refusal.code.name}",
        "title": refusal.code.message,
        "status": refusal.code.status,
        "detail": refusal.detail or refusal.code.message,
        "instance": request_id,
        "error": refusal.code.name,
        "message": refusal.detail or refusal.code.message,
    }
    for name in ("fix", "details", "errors"):
        value = getattr(refusal, name)
        if value or (name == "details" and refusal.details is not None):
            body[name] = value
    body |= extra
    body |= refusal.extra
    return Reply(body, refusal.code.status, headers, "application/problem+json")


def _oauth(refusal: Refusal, headers: dict[str, str]) -> Reply:
    word, status = oauth_word(refusal.code)
    if word == "invalid_client":
        headers.setdefault("WWW-Authenticate", 'Basic realm="clawscope", charset="UTF-8"')
    text = (refusal.detail or refusal.code.message).encode("ascii", "replace").decode().replace('"', "'").replace("\\", "/")
    return Reply({"error": word, "error_description": text, "code": refusal.code.name}, status, {**headers, "Pragma": "no-cache"})


def oauth_word(code: Code) -> tuple[str, int]:
    """The OAuth `error` and HTTP status for one of our codes."""
    if code.name in _OWN_WORDS:
        return _OWN_WORDS[code.name], 400
    if code.name in _SCOPE_CODES:
        return "invalid_scope", 400
    if code.name in _TARGET_CODES:
        return "invalid_target", 400
    if code.name in _CALLER_CODES:
        return "unauthorized_client", 400
    if code.name.startswith(("CONTROL_CHAIN_", "CANONICAL_", "CONTROLLER_TRANSFER_")) and code.status < 500:
        return "invalid_grant", 400
    if code.name in ("UNAUTHORIZED", "CREDENTIAL_REQUIRED") or code.name.startswith("API_TOKEN_"):
        return "invalid_client", 401
    if code.status in (502, 503, 507):
        return "temporarily_unavailable", 503
    return "invalid_request", code.status if code.status in (405, 409, 413, 429, 500) else 400


def encode(body: Any) -> bytes:
    """A reply's body as bytes; bytes pass through."""
    if body is None:
        return b""
    return body if isinstance(body, bytes) else msgspec.json.encode(body)
