"""Identifiers. The only file that draws randomness for names."""

from __future__ import annotations

import os
import secrets
import uuid

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A fresh id such as `req_7Hk…`: the prefix, then 22 characters worth at least 125 bits."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(22))}"


def request_id() -> str:
    """A fresh request id `req_` + 32 hex digits: cheap, made once for every request."""
    return "req_" + os.urandom(16).hex()


def new_uuid() -> str:
    """A fresh UUIDv4 in its usual text form (`jti`, `nonce`)."""
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


def random_hex(size_bytes: int) -> str:
    """Random bytes as lowercase hex (trace and span ids)."""
    return os.urandom(size_bytes).hex()


def random_bytes(size: int) -> bytes:
    """Random bytes for seeds, nonces and keys."""
    return os.urandom(size)
