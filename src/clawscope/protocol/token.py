"""Making a CST from claims, and naming one by its hash (tokens.md §1)."""

from __future__ import annotations

import msgspec

from clawscope.protocol import digest, jws
from clawscope.protocol.claims import Claims, encode
from clawscope.protocol.keys import SigningKey


class TokenTooLarge(ValueError):
    """Claims whose token would exceed 8192 bytes, so that nobody could verify it."""


class Minted(msgspec.Struct, frozen=True):
    """A signed token, its hash, what it says, and the key that signed it."""

    token: str
    token_hash: str
    claims: Claims
    kid: str


def mint(claims: Claims, key: SigningKey, kid: str) -> Minted:
    """Sign the claims as they are; judging them is the caller's. Raises `TokenTooLarge`, `ValueError` for a bad kid."""
    token = jws.compact(encode(claims), kid, key)
    if len(token) > jws.MOST_BYTES:
        raise TokenTooLarge("these claims do not fit a token of 8192 bytes")
    return Minted(token, hash_of(token), claims, kid)


def hash_of(token: str) -> str:
    """`token_hash`: lowercase hex SHA-256 of the whole text. Meaningful only for texts that pass `jws.split`."""
    return digest.sha256_hex(token.encode("ascii"))
