"""Refusal codes shared by every slice (tokens.md §0)."""

from __future__ import annotations

from clawscope.kernel.errors import code

INVALID_JSON = code("INVALID_JSON", 400, "The body is not one well-formed JSON text.")
INVALID_REQUEST = code("INVALID_REQUEST", 400, "A member is missing, unknown, or of the wrong type or form.")
INVALID_QUERY = code("INVALID_QUERY", 400, "A query parameter is unknown or has the wrong form.")
INVALID_CURSOR = code("INVALID_CURSOR", 400, "The cursor is damaged or belongs to another list.")
UNAUTHORIZED = code("UNAUTHORIZED", 401, "No credential that is known here was presented.")
FORBIDDEN = code("FORBIDDEN", 403, "The credential is good but does not permit this.")
NOT_FOUND = code("NOT_FOUND", 404, "There is nothing at this address.")
METHOD_NOT_ALLOWED = code("METHOD_NOT_ALLOWED", 405, "This address does not take that method.")
IDEMPOTENCY_KEY_REUSED = code("IDEMPOTENCY_KEY_REUSED", 409, "The Idempotency-Key was used with another body.")
IDEMPOTENCY_KEY_IN_USE = code(
    "IDEMPOTENCY_KEY_IN_USE", 409, "The first request with this Idempotency-Key is still running.", retry_after_s=1
)
PAYLOAD_TOO_LARGE = code("PAYLOAD_TOO_LARGE", 413, "The body is larger than this route accepts.")
RATE_LIMITED = code("RATE_LIMITED", 429, "Too many requests from this source.", retry_after_s=1)
INTERNAL_ERROR = code("INTERNAL_ERROR", 500, "Something failed on our side; nothing was changed.")
STORE_UNAVAILABLE = code("STORE_UNAVAILABLE", 503, "The store cannot be reached; nothing was changed.", retry_after_s=1)
STORE_FULL = code("STORE_FULL", 507, "The store has no room left; nothing was changed.")
