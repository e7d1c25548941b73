"""Ed25519 keys: signing, admission of public keys, strict verification (identity.md §2, keys.md §2)."""

from __future__ import annotations

import hmac

from nacl import bindings
from nacl.exceptions import BadSignatureError

SEED_BYTES = 32
PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64


class KeyRefused(ValueError):
    """Key material that may not be used; the text never shows it."""


class SigningKey:
    """An Ed25519 private key that signs and never shows itself."""

    __slots__ = ("_secret", "public")

    def __init__(self, secret: bytes, public: bytes) -> None:
        self._secret = secret
        self.public = public

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key of a 32-byte seed, or of seed and public key (64 bytes). Raises `KeyRefused` if the halves do not match."""
        if len(seed) not in (SEED_BYTES, SEED_BYTES + PUBLIC_BYTES):
            raise KeyRefused("a seed has 32 bytes, or 64 with its public key")
        public, secret = bindings.crypto_sign_seed_keypair(seed[:SEED_BYTES])
        if len(seed) > SEED_BYTES and not hmac.compare_digest(seed[SEED_BYTES:], public):
            raise KeyRefused("the second half is not the public key of the first")
        return cls(secret, public)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over the message."""
        return bindings.crypto_sign(message, self._secret)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return "SigningKey(***)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a SigningKey is not pickled")


def admit(public: bytes) -> None:
    """Let a public key in, or raise `KeyRefused`: 32 bytes, canonical, on the curve, in the prime-order group, not small."""
    if len(public) != PUBLIC_BYTES or not bindings.crypto_core_ed25519_is_valid_point(bytes(public)):
        raise KeyRefused("not an admissible Ed25519 public key")


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is by this key over this message, by libsodium's strict rule (S < L, no small-order points)."""
    # The binding checks no lengths; a short key would be read past its end.
    if len(signature) != SIGNATURE_BYTES or len(public) != PUBLIC_BYTES:
        return False
    try:
        bindings.crypto_sign_open(signature + message, public)
    except BadSignatureError:
        return False
    return True
