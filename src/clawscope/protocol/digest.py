"""SHA-256 in the two spellings the wire uses."""

from __future__ import annotations

import hashlib

from clawscope.protocol import b64u


def sha256_hex(raw: bytes) -> str:
    """The SHA-256 as 64 lowercase hex digits."""
    return hashlib.sha256(raw).hexdigest()


def sha256_b64u(raw: bytes) -> str:
    """The SHA-256 as 43 characters of base64url."""
    return b64u.encode(hashlib.sha256(raw).digest())
