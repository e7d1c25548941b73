"""The written forms of single claims (tokens.md §1.1, third column)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from clawscope.kernel.money import dollars_to_micros
from clawscope.protocol import scope
from clawscope.protocol.did import is_did

MAX_INTEGER = 2**53 - 1
MOST_AUDIENCES = 16
MOST_SCOPES = 256
MOST_SCOPE_LENGTH = 256
MOST_LINEAGE = 8
MOST_ACTORS = 8

_SUBJECT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~](?:[ -~]*[!-~])?")
_AUDIENCE = re.compile(r"[!-~]{1,256}")


def _whole(pattern: str) -> Callable[[str], object]:
    # The match itself is the answer: a wrapper would cost as much as the matching.
    return re.compile(pattern, re.DOTALL).fullmatch


is_issuer = _whole(r"[!-~]{1,512}")
is_opaque_256 = _whole(r"[^\x00\ud800-\udfff]{1,256}")
is_opaque_128 = _whole(r"[^\x00\ud800-\udfff]{1,128}")
is_mission = _whole(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,256}")
is_binding = _whole(r"[!-~](?:[ -~]{0,126}[!-~])?")
is_party = _whole(r"[!-~]{1,128}")
is_cents = _whole(r"[0-9]{1,18}")
# A UUIDv4 in its one lowercase spelling (`jti`, `nonce`).
is_uuid4 = _whole(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def is_subject(text: str) -> bool:
    """`scheme:value`, at most 512 printable ASCII characters; what starts `did:` is a DID."""
    if text.startswith("did:"):
        return is_did(text)
    return len(text) <= 512 and _SUBJECT.fullmatch(text) is not None


def is_audience(aud: str | tuple[str, ...]) -> bool:
    """One audience, or 1–16 distinct ones, each 1–256 printable ASCII characters without blanks."""
    if isinstance(aud, str):
        return _AUDIENCE.fullmatch(aud) is not None
    return 1 <= len(aud) <= MOST_AUDIENCES and len(set(aud)) == len(aud) and all(_AUDIENCE.fullmatch(one) for one in aud)


def are_scopes(scopes: tuple[str, ...]) -> bool:
    """1–256 scopes of at most 256 scope-token characters."""
    return 1 <= len(scopes) <= MOST_SCOPES and all(len(one) <= MOST_SCOPE_LENGTH and scope.is_scope_text(one) for one in scopes)


def is_lineage(jtis: tuple[str, ...]) -> bool:
    """1–8 distinct `jti`s, root first."""
    return 1 <= len(jtis) <= MOST_LINEAGE and len(set(jtis)) == len(jtis) and all(is_uuid4(jti) for jti in jtis)


def is_lane(text: str) -> bool:
    """`legacy` or `canonical`."""
    return text in ("legacy", "canonical")


def is_time(value: int) -> bool:
    """Epoch seconds from 0 to 2^53 − 1."""
    return 0 <= value <= MAX_INTEGER


@lru_cache(maxsize=4096, typed=True)
def is_spend_cap(value: int | float) -> bool:
    """US dollars from 0 to 10^8 with at most 6 decimals, read as decimal text."""
    if isinstance(value, bool):
        return False
    try:
        dollars_to_micros(value)
    except ValueError:
        return False
    return True
