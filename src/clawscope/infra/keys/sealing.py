"""Seals seeds with AES-256-GCM so that a stolen database signs nothing, and a swapped row does not open (keys.md §2)."""

from __future__ import annotations

import json

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clawscope.kernel.ids import random_bytes
from clawscope.kernel.secret import Secret
from clawscope.protocol import b64u

_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_MASTER_BYTES = 32


class CannotOpen(Exception):
    """A sealed seed that does not open: another master key, another row's identity, or damage. Names no value."""


class MasterKey:
    """The key that seals seeds; shows as `***`."""

    __slots__ = ("_cipher",)

    def __init__(self, raw: bytes) -> None:
        """Raises `ValueError` unless `raw` is 32 bytes."""
        if len(raw) != _MASTER_BYTES:
            raise ValueError("a master key has 32 bytes")
        self._cipher = AESGCM(raw)

    def encrypt(self, nonce: bytes, text: bytes, bound_to: bytes) -> bytes:
        """Ciphertext and tag."""
        return self._cipher.encrypt(nonce, text, bound_to)

    def decrypt(self, nonce: bytes, sealed: bytes, bound_to: bytes) -> bytes:
        """The text. Raises `InvalidTag`."""
        return self._cipher.decrypt(nonce, sealed, bound_to)

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a MasterKey is not pickled")


def parse_master_key(text: Secret) -> MasterKey:
    """The master key from its base64url form (32 bytes, 43 characters, no padding). Raises `ValueError` that quotes nothing."""
    try:
        return MasterKey(b64u.decode(text.reveal()))
    except ValueError:
        raise ValueError("a master key is 32 bytes as base64url without padding (43 characters)") from None


def seal(seed: bytes, master: MasterKey, kid: str, purpose: str, created_at: int) -> bytes:
    """The sealed seed: a version byte, the nonce, ciphertext and tag; bound to kid, purpose and creation second."""
    nonce = random_bytes(_NONCE_BYTES)
    return _VERSION + nonce + master.encrypt(nonce, seed, _bound_to(kid, purpose, created_at))


def open_sealed(sealed: bytes, master: MasterKey, kid: str, purpose: str, created_at: int) -> bytes:
    """The seed. Raises `CannotOpen` unless key, kid, purpose, second and every byte are those it was sealed with."""
    if len(sealed) <= len(_VERSION) + _NONCE_BYTES + _TAG_BYTES or sealed[:1] != _VERSION:
        raise CannotOpen("not a sealed seed of a known version")
    nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return master.decrypt(nonce, rest, _bound_to(kid, purpose, created_at))
    except InvalidTag:
        raise CannotOpen("the sealed seed does not open with this master key for this kid") from None


def _bound_to(kid: str, purpose: str, created_at: int) -> bytes:
    """As JSON, so that no two identities have the same bytes."""
    return b"clawscope/sealed-seed/v1\n" + json.dumps([kid, purpose, created_at]).encode()
