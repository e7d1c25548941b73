"""Refusal codes of keys and key transparency (keys.md §8)."""

from __future__ import annotations

from clawscope.kernel.errors import code

KEY_INVALID = code("KEY_INVALID", 400, "The key material or the named kid is refused.")
KEY_NOT_FOUND = code("KEY_NOT_FOUND", 404, "There is no key of that kid.")
KID_TAKEN = code("KID_TAKEN", 409, "That kid or key is known already.")
KEY_STATE_CONFLICT = code("KEY_STATE_CONFLICT", 409, "The key cannot make that move from its present state.")
KEY_NOT_READY = code("KEY_NOT_READY", 409, "The key has not been published long enough.")
KEY_STILL_NEEDED = code("KEY_STILL_NEEDED", 409, "Tokens of this key are alive until its cut-off.")
KEY_ROTATION_IN_PROGRESS = code("KEY_ROTATION_IN_PROGRESS", 409, "A rotation of this purpose is under way.")
KEYS_READ_ONLY = code("KEYS_READ_ONLY", 409, "Keys come from configuration; change them there.")
REVOCATION_SLO_REPORT_FAILED = code("REVOCATION_SLO_REPORT_FAILED", 500, "The revocation report could not be computed.")
SIGNING_CONFIG_INVALID = code("SIGNING_CONFIG_INVALID", 503, "The key set cannot be read.", retry_after_s=2)
SIGNING_NOT_READY = code("SIGNING_NOT_READY", 503, "The first key has not been published long enough.", retry_after_s=2)
KEY_LOG_UNAVAILABLE = code("KEY_LOG_UNAVAILABLE", 503, "The transparency log cannot include the key.", retry_after_s=2)
KEY_TRANSPARENCY_UNAVAILABLE = code("KEY_TRANSPARENCY_UNAVAILABLE", 503, "Key snapshots cannot be read.", retry_after_s=2)
