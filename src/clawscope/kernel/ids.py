"""Identifiers. The only file that draws randomness."""

from __future__ import annotations

import os
import threading

_POOL_BYTES = 4096


class _Pool:
    """Random bytes for names, drawn from the system some thousands at a time: one call costs more than all the rest of a name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Drop what is drawn; a forked child must not share its parent's."""
        self._drawn = b""
        self._used = 0

    def take(self, size: int) -> bytes:
        """The next bytes; none is handed out twice."""
        with self._lock:
            if self._used + size > len(self._drawn):
                self._drawn, self._used = os.urandom(_POOL_BYTES), 0
            self._used += size
            return self._drawn[self._used - size : self._used]


_pool = _Pool()
os.register_at_fork(after_in_child=_pool.forget)


def new_id(prefix: str) -> str:
    """A fresh id such as `req_3f…`: the prefix and 128 random bits as 32 hex digits."""
    return f"{prefix}_{_pool.take(16).hex()}"


def new_uuid() -> str:
    """A fresh UUIDv4 in its usual text form (`jti`, `nonce`)."""
    raw = bytearray(_pool.take(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def random_hex(size_bytes: int) -> str:
    """Random bytes as lowercase hex (trace and span ids)."""
    return _pool.take(size_bytes).hex()


def random_bytes(size: int) -> bytes:
    """Random bytes for seeds, nonces and keys, straight from the system."""
    return os.urandom(size)
