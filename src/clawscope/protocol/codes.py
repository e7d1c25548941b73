"""Refusal codes of token verification and binding (tokens.md §1.3, §3.2, §5)."""

from __future__ import annotations

from clawscope.kernel.errors import code

TOKEN_MALFORMED = code("TOKEN_MALFORMED", 401, "This is not a well-formed token.")
TOKEN_UNSUPPORTED_ALG = code("TOKEN_UNSUPPORTED_ALG", 401, "The token's algorithm is not EdDSA.")
SIGNING_NOT_CONFIGURED = code("SIGNING_NOT_CONFIGURED", 503, "No token key is loaded.", retry_after_s=1)
TOKEN_UNKNOWN_KID = code("TOKEN_UNKNOWN_KID", 401, "The token's key was never one of this issuer's.")
TOKEN_KID_EXPIRED = code("TOKEN_KID_EXPIRED", 401, "The token's key is past its cut-off or was withdrawn; get a new token.")
TOKEN_SIGNATURE_INVALID = code("TOKEN_SIGNATURE_INVALID", 401, "The token's signature is not by the key it names.")
TOKEN_UNKNOWN_VERSION = code("TOKEN_UNKNOWN_VERSION", 401, "The token's version is not known here.")
TOKEN_INVALID_CLAIMS = code("TOKEN_INVALID_CLAIMS", 401, "A claim is missing, unknown, or of the wrong form.")
TOKEN_SCOPE_HASH_REQUIRED = code("TOKEN_SCOPE_HASH_REQUIRED", 401, "The token does not commit to its scopes.")
TOKEN_SCOPE_HASH_MISMATCH = code("TOKEN_SCOPE_HASH_MISMATCH", 401, "The token's scope hash is not the hash of its scopes.")
TOKEN_EXPIRED = code("TOKEN_EXPIRED", 401, "The token has expired.")
TOKEN_NOT_YET_VALID = code("TOKEN_NOT_YET_VALID", 401, "The token was issued in the future.")
TOKEN_DELEGATION_EXPIRED = code("TOKEN_DELEGATION_EXPIRED", 401, "The delegation behind the token has expired.")
TOKEN_REVOKED = code("TOKEN_REVOKED", 401, "This token has been revoked.")
TOKEN_CONTROL_CHAIN_MISSING = code("TOKEN_CONTROL_CHAIN_MISSING", 401, "The token lacks a canonical chain of owner, controller and agent.")
REVOCATION_UNAVAILABLE = code("REVOCATION_UNAVAILABLE", 503, "Revocation state cannot be read.", retry_after_s=1)

TOKEN_AUD_MISMATCH = code("TOKEN_AUD_MISMATCH", 403, "The token is not meant for this audience.")
TOKEN_INSUFFICIENT_SCOPE = code("TOKEN_INSUFFICIENT_SCOPE", 403, "The token's scopes do not cover this.")
TOKEN_RUN_REQUIRED = code("TOKEN_RUN_REQUIRED", 403, "The token is bound to a run and the request names none.")
TOKEN_RUN_MISMATCH = code("TOKEN_RUN_MISMATCH", 403, "The token is bound to another run.")
TOKEN_JOB_REQUIRED = code("TOKEN_JOB_REQUIRED", 403, "The token is bound to a job and the request names none.")
TOKEN_JOB_MISMATCH = code("TOKEN_JOB_MISMATCH", 403, "The token is bound to another job.")
TOKEN_BINDING_MISSING = code("TOKEN_BINDING_MISSING", 403, "A token bound to a run or job is required here.")
TOKEN_MISSION_MISMATCH = code("TOKEN_MISSION_MISMATCH", 403, "The token belongs to another mission.")
TOKEN_POLICY_MISMATCH = code("TOKEN_POLICY_MISMATCH", 403, "The token is pinned to another policy.")
TOKEN_POLICY_MISSING = code("TOKEN_POLICY_MISSING", 403, "A token pinned to a policy is required here.")
