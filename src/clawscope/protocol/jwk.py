"""Public keys by name: kids, thumbprints and JWK sets (RFC 7517, RFC 7638, RFC 8037; keys.md §2, §4)."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from clawscope.protocol import b64u, digest, keys, strict_json

MOST_KEYS = 64
MOST_BYTES = 256 * 1024
_KID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class JwksRefused(ValueError):
    """A JWK set that may not be used; the text never shows it."""


def thumbprint(public: bytes) -> str:
    """The RFC 7638 thumbprint of an Ed25519 key (SHA-256, base64url)."""
    return digest.sha256_b64u(f'{{"crv":"Ed25519","kty":"OKP","x":"{b64u.encode(public)}"}}'.encode())


def hex16(public: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of the raw key: the kid rule of the existing key sets."""
    return hashlib.sha256(public).hexdigest()[:16]


def kid_for(public: bytes, rule: str) -> str:
    """The kid of a key nobody named, by `rfc7638` or `sha256_hex16`. Raises `ValueError` for another rule."""
    if rule == "rfc7638":
        return thumbprint(public)
    if rule == "sha256_hex16":
        return hex16(public)
    raise ValueError("the kid rule is rfc7638 or sha256_hex16")


def is_kid(text: str) -> bool:
    """Whether the text may name a key: `^[A-Za-z0-9_-]{1,64}$`."""
    return _KID.fullmatch(text) is not None


def public_jwk(public: bytes, kid: str) -> dict[str, Any]:
    """The key as it stands in a JWK set, members in the wire's order."""
    return {"kty": "OKP", "crv": "Ed25519", "x": b64u.encode(public), "kid": kid, "alg": "EdDSA", "use": "sig", "ext": True}


def parse_jwks(raw: bytes) -> dict[str, bytes]:
    """The admitted Ed25519 signing keys of a JWK set, by kid, in the set's order.

    Keys of another type or use, without a kid, or not admissible are left out. Raises `JwksRefused` for a set that is
    not JSON, larger than 256 KiB, longer than 64 keys, that names a kid twice, or that holds a private or symmetric key.
    """
    if len(raw) > MOST_BYTES:
        raise JwksRefused("a key set has at most 256 KiB")
    try:
        document = strict_json.parse(raw)
    except strict_json.NotJson:
        raise JwksRefused("a key set is one JSON object") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise JwksRefused("a key set is an object with a list of keys")
    if len(listed) > MOST_KEYS:
        raise JwksRefused("a key set has at most 64 keys")
    if any("d" in entry or "k" in entry for entry in listed):
        raise JwksRefused("a key set shows no private key")
    found: dict[str, bytes] = {}
    for entry in listed:
        public = _public_of(entry)
        if public is None:
            continue
        if entry["kid"] in found:
            raise JwksRefused("a key set names each kid once")
        found[entry["kid"]] = public
    return found


def _public_of(entry: dict[str, Any]) -> bytes | None:
    kid, x = entry.get("kid"), entry.get("x")
    if entry.get("kty") != "OKP" or entry.get("crv") != "Ed25519" or not isinstance(x, str):
        return None
    if not isinstance(kid, str) or not is_kid(kid):
        return None
    if entry.get("use", "sig") != "sig" or entry.get("alg", "EdDSA") not in ("EdDSA", "Ed25519"):
        return None
    try:
        public = b64u.decode(x)
        keys.admit(public)
    except ValueError:
        return None
    return public
