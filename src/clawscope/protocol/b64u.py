"""base64url without padding, in its one canonical spelling (RFC 4648 §5; tokens.md §1.3 step 1)."""

from __future__ import annotations

import binascii
import re

import msgspec

_TO_URL = bytes.maketrans(b"+/", b"-_")
_HASH43 = re.compile(r"[A-Za-z0-9_-]{43}")
# By length modulo 4: the padding a decoder wants, and the last characters whose spare bits are zero.
_PADDING = ("", "", "==", "=")
_LAST = ("", "", "AQgw", "AEIMQUYcgkosw048")


def encode(raw: bytes) -> str:
    """Bytes as canonical unpadded base64url."""
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_TO_URL).decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of canonical unpadded base64url.

    Raises `ValueError` for any other character, padding, an impossible length, or spare bits that are not zero: exactly
    the texts that `encode` does not write.
    """
    rest = len(text) & 3
    if rest and (rest == 1 or text[-1] not in _LAST[rest]):
        raise ValueError("not canonical base64url")
    if "=" in text or "+" in text or "/" in text:
        raise ValueError("not canonical base64url")
    try:
        # Checks every character as binascii does, in a third of its time.
        return msgspec.convert(text.replace("-", "+").replace("_", "/") + _PADDING[rest], bytes)
    except (msgspec.ValidationError, ValueError):
        raise ValueError("not canonical base64url") from None


def is_hash43(text: str) -> bool:
    """Whether the text has the shape of a SHA-256 in base64url (`hash43`, tokens.md §0)."""
    return _HASH43.fullmatch(text) is not None
