"""Compact JWS for CSTs, by hand: one strict reading and one writing (tokens.md §1.3, steps 1–4)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from clawscope.protocol import b64u, strict_json
from clawscope.protocol.claims import Claims
from clawscope.protocol.claims_reading import read
from clawscope.protocol.codes import TOKEN_MALFORMED, TOKEN_UNSUPPORTED_ALG
from clawscope.protocol.jwk import is_kid
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.verdict import Denied

MOST_BYTES = 8192
MOST_HEADER_BYTES = 2048
SIGNATURE_CHARACTERS = 86
_HEADER_MEMBERS = frozenset(("alg", "typ", "kid"))


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """A token whose syntax is right and whose meaning nobody has judged: `content` is claims, or an object still to be typed."""

    kid: str | None
    content: Claims | dict[str, Any]
    signing_input: bytes
    signature: bytes


class _HeaderRefused(ValueError):
    def __init__(self, denied: Denied) -> None:
        self.denied = denied


def split(token: str) -> Parsed | Denied:
    """Syntax alone, in the order of §1.3.

    1. ASCII, at most 8192 bytes, exactly two dots, every part canonical base64url.
    2. The header is a JSON object of at most 2048 bytes with `alg`, `typ`, `kid` only; `typ` is `JWT`, a `kid` well-formed.
    3. `alg` is `EdDSA` or `Ed25519`.
    4. The payload is a strict JSON object, depth ≤ 12, integers ≤ 20 digits; the signature has 86 characters.
    """
    if len(token) > MOST_BYTES or not token.isascii() or token.count(".") != 2:
        return Denied(TOKEN_MALFORMED, "a token is ASCII of at most 8192 bytes with exactly two dots")  # 1
    signed, _, signature_text = token.rpartition(".")
    header_text, _, payload_text = signed.partition(".")
    try:
        signature = b64u.decode(signature_text)  # 1
        payload = b64u.decode(payload_text)
    except ValueError:
        return Denied(TOKEN_MALFORMED, "every part of a token is canonical base64url")
    try:
        kid = _kid_of(header_text)  # 2, 3
    except _HeaderRefused as refused:
        return refused.denied
    if len(signature_text) != SIGNATURE_CHARACTERS:
        return Denied(TOKEN_MALFORMED, "an Ed25519 signature has 86 characters")  # 4
    try:
        content = read(payload)  # 4
    except strict_json.NotJson:
        return Denied(TOKEN_MALFORMED, "the payload is one strict JSON object")
    return Parsed(kid, content, signed.encode("ascii"), signature)


def compact(payload: bytes, kid: str, key: SigningKey) -> str:
    """The signed compact form of a payload, with the one header this issuer writes. Raises `ValueError` for a bad kid."""
    signed = f"{_header_for(kid)}.{b64u.encode(payload)}"
    return f"{signed}.{b64u.encode(key.sign(signed.encode('ascii')))}"


@lru_cache(maxsize=256)
def _kid_of(header_text: str) -> str | None:
    try:
        raw = b64u.decode(header_text)
    except ValueError:
        raise _HeaderRefused(Denied(TOKEN_MALFORMED, "every part of a token is canonical base64url")) from None  # 1
    kid, fault = _judge_header(raw)
    if fault is not None:
        raise _HeaderRefused(fault)
    return kid


def _judge_header(raw: bytes) -> tuple[str | None, Denied | None]:
    malformed = Denied(TOKEN_MALFORMED, "the header holds alg, typ JWT and perhaps kid, and nothing else")
    if len(raw) > MOST_HEADER_BYTES:
        return None, malformed  # 2
    try:
        header = strict_json.parse(raw, max_depth=4)
    except strict_json.NotJson:
        return None, malformed
    if not isinstance(header, dict) or not header.keys() <= _HEADER_MEMBERS or header.get("typ") != "JWT":
        return None, malformed
    if "kid" in header and not (isinstance(header["kid"], str) and is_kid(header["kid"])):
        return None, malformed
    if header.get("alg") not in ("EdDSA", "Ed25519"):
        return None, Denied(TOKEN_UNSUPPORTED_ALG)  # 3
    return header.get("kid"), None


@lru_cache(maxsize=256)
def _header_for(kid: str) -> str:
    if not is_kid(kid):
        raise ValueError("not a kid")
    return b64u.encode(f'{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}'.encode())
