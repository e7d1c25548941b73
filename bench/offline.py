"""The offline row: `protocol.verify_token.verify` beside libsodium's own check of the same bytes, in one process.

Usage: `python -m bench.offline RUNS` prints a JSON list of `Pair`. Every token is verified once, all under one key.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
from nacl.bindings import crypto_sign_open

from clawscope.protocol import b64u, scope
from clawscope.protocol.claims import Claims
from clawscope.protocol.jwk import thumbprint
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.token import mint
from clawscope.protocol.verify_token import KeyEntry, KeySet, Rules, Verified, verify

TOKENS = 4000
CHUNK = 50
ISSUER = "https://clawscope.example"
NOW = 1_800_000_000
SCOPES = ("clawproxy:call:openai",)

_Item = TypeVar("_Item", str, bytes)


class Pair(msgspec.Struct, frozen=True):
    """Verifications per second in one run, ours and libsodium's."""

    ours_per_s: float
    libsodium_per_s: float


def tokens(key: SigningKey, kid: str) -> list[str]:
    """Distinct valid tokens under one key."""
    return [
        mint(
            Claims(
                token_version="1",
                iss=ISSUER,
                sub="did:key:zAgent",
                aud="https://clawproxy.example",
                scope=SCOPES,
                iat=NOW,
                exp=NOW + 600,
                token_scope_hash_b64u=scope.scope_hash(SCOPES),
                token_lane="legacy",
                jti=f"{number:08x}-0000-4000-8000-000000000001",
                nonce=f"{number:08x}-0000-4000-8000-000000000002",
            ),
            key,
            kid,
        ).token
        for number in range(TOKENS)
    ]


def signed_bytes(token: str) -> bytes:
    """The token as libsodium wants it: signature, then message."""
    message, _, signature = token.rpartition(".")
    return b64u.decode(signature) + message.encode()


def timed(work: Callable[[_Item], None], items: list[_Item]) -> float:
    """Seconds the work takes for all items."""
    start = time.perf_counter()
    for item in items:
        work(item)
    return time.perf_counter() - start


def run(texts: list[str], signed: list[bytes], keys: KeySet, public: bytes) -> Pair:
    """One run over all tokens, the two taking turns every few tokens so that both meet the same weather."""
    rules = Rules(issuer=ISSUER, clock_skew_s=60, hard_max_ttl_s=86400, accept_missing_kid=False)

    def ours(text: str) -> None:
        if not isinstance(verify(text, keys, rules, NOW + 1), Verified):
            raise SystemExit("a valid token was refused")

    def theirs(text: bytes) -> None:
        crypto_sign_open(text, public)

    mine = libsodium = 0.0
    for first in range(0, TOKENS, CHUNK):
        mine += timed(ours, texts[first : first + CHUNK])
        libsodium += timed(theirs, signed[first : first + CHUNK])
    return Pair(TOKENS / mine, TOKENS / libsodium)


def main() -> None:
    """Warm up once, then print the runs."""
    key = SigningKey.from_seed(bytes(range(32)))
    kid = thumbprint(key.public)
    keys = KeySet({kid: KeyEntry(public=key.public, not_after_unix=None, withdrawn=False)})
    texts = tokens(key, kid)
    signed = [signed_bytes(text) for text in texts]
    pairs = [run(texts, signed, keys, key.public) for _ in range(int(sys.argv[1]) + 1)]
    sys.stdout.write(msgspec.json.encode(pairs[1:]).decode() + "\n")


if __name__ == "__main__":
    main()
