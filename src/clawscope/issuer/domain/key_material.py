"""Naming and admitting key material (keys.md §2)."""

from __future__ import annotations

from collections.abc import Iterable

from clawscope.issuer.domain.key_errors import KEY_INVALID, KID_TAKEN
from clawscope.issuer.domain.keyring import KeyRecord
from clawscope.protocol import b64u, did, jwk, keys


def kid_of(purpose: str, public: bytes, kid_rule: str) -> str:
    """The kid of a key nobody named. Raises `KEY_INVALID` for purposes whose keys are named by the part that uses them."""
    if purpose == "token":
        return jwk.kid_for(public, kid_rule)
    if purpose == "statement":
        return jwk.thumbprint(public)
    if purpose == "receipt":
        return jwk.hex16(public)
    if purpose == "policy":
        return did.did_key(public)
    raise KEY_INVALID("keys of this purpose are made by the part that uses them")


def read_public(x: str) -> bytes:
    """An admitted public key from base64url. Raises `KEY_INVALID`."""
    try:
        public = b64u.decode(x)
        keys.admit(public)
    except ValueError:
        raise KEY_INVALID("x is not an admissible Ed25519 public key", fix="send 32 bytes as base64url without padding") from None
    return public


def refuse_kid(kid: str) -> None:
    """Raises `KEY_INVALID` for a kid that may not name a key."""
    if not jwk.is_kid(kid):
        raise KEY_INVALID("kid: 1 to 64 of A-Z a-z 0-9 _ -")


def refuse_known(records: Iterable[KeyRecord], kid: str, public: bytes) -> None:
    """Raises `KID_TAKEN` if the kid ever named a key, or the key ever had a kid."""
    for record in records:
        if record.kid == kid:
            raise KID_TAKEN("a kid never names a second key", fix="choose another kid")
        if record.public == public:
            raise KID_TAKEN("this key is known already", details={"kid": record.kid})
