"""The statement rule: how every artefact of ours is signed, under a domain prefix and over canonical JSON (identity.md §1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawscope.protocol import b64u, jcs, keys

SIGNATURE_MEMBER = "signature_b64u"


def text(kind: str, obj: Mapping[str, Any]) -> bytes:
    """What is signed: `clawscope/<kind>/v1`, LF, JCS of the object without its signature. Raises `ValueError` for no JSON value."""
    unsigned = {name: value for name, value in obj.items() if name != SIGNATURE_MEMBER}
    return f"clawscope/{kind}/v1\n".encode() + jcs.canonical(unsigned)


def sign(kind: str, obj: Mapping[str, Any], key: keys.SigningKey) -> str:
    """The value of `signature_b64u` for the object."""
    return b64u.encode(key.sign(text(kind, obj)))


def verify(kind: str, obj: Mapping[str, Any], public: bytes) -> bool:
    """Whether the object carries this key's signature over itself; a missing or ill-formed signature is no signature."""
    signature = obj.get(SIGNATURE_MEMBER)
    if not isinstance(signature, str):
        return False
    try:
        return keys.verify(public, text(kind, obj), b64u.decode(signature))
    except ValueError:
        return False
