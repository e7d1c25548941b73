"""DIDs: the one grammar, did:key with Ed25519, and did:web names (W3C DID Core; identity.md §2)."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes, urlsplit

from clawscope.protocol import keys

MOST_CHARACTERS = 512
_DID = re.compile(r"did:[a-z0-9]+:(?:[A-Za-z0-9._:-]|%[0-9A-Fa-f]{2})*(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_WEB_HOST = re.compile(rf"({_LABEL}(?:\.{_LABEL})*)(?:%3[Aa]([1-9][0-9]{{0,4}}))?")
_ED25519_MULTICODEC = b"\xed\x01"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {char: value for value, char in enumerate(_ALPHABET)}


class UnsupportedDid(ValueError):
    """A DID of another method or multibase than `did:key:z`."""


class InvalidDid(ValueError):
    """A DID that fits no grammar, or whose key is not admitted."""


def is_did(text: str) -> bool:
    """Whether the text is a DID (not a DID URL) of at most 512 characters."""
    return len(text) <= MOST_CHARACTERS and _fits_grammar(text)


def did_key(public: bytes) -> str:
    """The did:key of an Ed25519 public key."""
    return "did:key:z" + _base58(_ED25519_MULTICODEC + public)


@lru_cache(maxsize=4096)
def public_of(did: str) -> bytes:
    """The admitted Ed25519 key of a did:key (identity.md §2, 2 and 3).

    Raises `UnsupportedDid` unless it starts `did:key:z`, `InvalidDid` for another length, codec, spelling or a key refused.
    """
    if not did.startswith("did:key:z"):
        raise UnsupportedDid("only did:key with base58btc is a key here")
    # 34 bytes starting ed 01 have 47 base58 digits.
    digits = did[9:]
    if len(digits) != 47 or any(char not in _DIGITS for char in digits):
        raise InvalidDid("not an Ed25519 did:key")
    number = 0
    for char in digits:
        number = number * 58 + _DIGITS[char]
    if number.bit_length() > 34 * 8:
        raise InvalidDid("not an Ed25519 did:key")
    raw = number.to_bytes(34, "big")
    if raw[:2] != _ED25519_MULTICODEC:
        raise InvalidDid("not an Ed25519 did:key")
    try:
        keys.admit(raw[2:])
    except keys.KeyRefused:
        raise InvalidDid("the key of this did:key is not admissible") from None
    return raw[2:]


def is_did_web(text: str) -> bool:
    """Whether the text is a did:web identifier: a host name, perhaps a port, then path segments, nothing that could misdirect."""
    if not text.startswith("did:web:") or not is_did(text):
        return False
    host, *segments = text[8:].split(":")
    found = _WEB_HOST.fullmatch(host)
    if found is None or len(found[1]) > 253 or int(found[2] or 1) > 65535:
        return False
    return all(_is_plain_segment(segment) for segment in segments)


def did_web_of(url: str) -> str:
    """The did:web that names a service URL: host, port percent-encoded, path segments after `:`. Raises `InvalidDid`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidDid("not the URL of a service") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidDid("not the URL of a service")
    standard = port is None or port == (443 if parts.scheme == "https" else 80)
    named = parts.hostname if standard else f"{parts.hostname}%3A{port}"
    path = parts.path.removeprefix("/").removesuffix("/")
    segments = [quote(unquote_to_bytes(segment), safe="") for segment in path.split("/")] if path else []
    did = ":".join(["did:web", named, *segments])
    if not is_did_web(did):
        raise InvalidDid("this URL has no did:web")
    return did


# Only texts of bounded length come here: the cache must not hold what a stranger sends.
@lru_cache(maxsize=16384)
def _fits_grammar(text: str) -> bool:
    return _DID.fullmatch(text) is not None


def _is_plain_segment(segment: str) -> bool:
    try:
        plain = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return False
    if plain in ("", ".", ".."):
        return False
    return plain.isprintable() and not any(char in " /\\?#@:%" for char in plain)


def _base58(raw: bytes) -> str:
    number = int.from_bytes(raw, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    # Leading zero bytes do not occur: every text here starts with the multicodec.
    return "".join(reversed(digits))
