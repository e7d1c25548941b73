"""Keys of did:keys and the signatures they make (identity.md §2)."""

from __future__ import annotations

from clawscope.identity.domain import errors
from clawscope.protocol import b64u, did, keys

MOST_DID = 256
_SIGNATURE_CHARACTERS = 86


def fits_grammar(text: str) -> bool:
    """Whether the text may be named in a challenge: a DID of at most 256 characters; method and key are judged at use (§2, 5)."""
    return len(text) <= MOST_DID and did.is_did(text)


def key_of(text: str) -> bytes:
    """The admitted key of a did:key. Raises `UNSUPPORTED_DID`, `INVALID_DID` (§2, 4)."""
    try:
        return did.public_of(text)
    except did.UnsupportedDid:
        raise errors.UNSUPPORTED_DID("this DID is not a did:key:z", fix="use a did:key with an Ed25519 key") from None
    except did.InvalidDid:
        raise errors.INVALID_DID("this did:key is not admissible", fix="encode ed01 and the 32 bytes of a valid key as base58btc") from None


def check_signature(signer_did: str, message: str, signature_b64u: str) -> None:
    """Raises `UNSUPPORTED_DID`, `INVALID_DID`, then `SIGNATURE_INVALID` unless the DID's key signed exactly this message (§2, 7)."""
    public = key_of(signer_did)
    if not is_signed(public, message.encode(), signature_b64u):
        raise errors.SIGNATURE_INVALID("sign the challenge's message exactly as it was returned, in canonical base64url")


def is_signed(public: bytes, message: bytes, signature_b64u: str) -> bool:
    """Whether the text is 86 characters of canonical base64url holding this key's strict signature over the message."""
    if len(signature_b64u) != _SIGNATURE_CHARACTERS:
        return False
    try:
        return keys.verify(public, message, b64u.decode(signature_b64u))
    except ValueError:
        return False
