"""From the bytes of a payload to claims: the plain road for our own spelling, the strict one for every other."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec

from clawscope.protocol import claim_forms as forms
from clawscope.protocol import strict_json
from clawscope.protocol.claims import Claims, encode

MAX_DEPTH = 12
MAX_INT_DIGITS = 20
MOST_CAP_DECIMALS = 6
_BEYOND: int = 10**MAX_INT_DIGITS
_decoder = msgspec.json.Decoder(Claims)
_MEMBER = re.compile(r"^Object missing required field `([a-z0-9_]+)`$|\$\.([a-z0-9_]+)")
_KNOWN = frozenset(Claims.__struct_fields__)


class NotClaims(ValueError):
    """A JSON object that is not a set of claims; `claim` names the member at fault where it is one of ours."""

    def __init__(self, claim: str | None) -> None:
        super().__init__(claim or "a member that is no claim")
        self.claim = claim


def read(payload: bytes) -> Claims | dict[str, Any]:
    """Step 4 of §1.3: the payload as claims, or, where it is not spelled as we spell them, as a strictly parsed object.

    Writing the claims again and getting the same bytes proves that nothing is there twice, unknown or spelled otherwise.
    Raises `NotJson` for what is no JSON object of depth ≤ 12 with integers of at most 20 digits.
    """
    if payload.count(b"{") <= MAX_DEPTH:
        try:
            claims = _decoder.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
        else:
            if encode(claims) == payload and _within_digits(claims):
                return claims
    document = strict_json.parse(payload, max_depth=MAX_DEPTH, max_int_digits=MAX_INT_DIGITS, exact=True)
    if not isinstance(document, dict):
        raise strict_json.NotJson("not an object")
    return document


def from_document(document: dict[str, Any]) -> Claims:
    """The claims of a strictly parsed object. Raises `NotClaims` for missing, unknown, null or wrongly typed members."""
    plain = dict(document)
    for name, value in document.items():
        if _holds_null(value) or (name == "token_scope_hash_b64u" and value == ""):
            raise NotClaims(name if name in _KNOWN else None)
        if isinstance(value, Decimal):
            if name != "spend_cap":
                raise NotClaims(name if name in _KNOWN else None)
            plain[name] = _dollars(value)
    try:
        return msgspec.convert(plain, Claims)
    except msgspec.ValidationError as error:
        found = _MEMBER.search(str(error))
        named = (found[1] or found[2]) if found else None
        raise NotClaims(named if named in _KNOWN else None) from None


def _within_digits(claims: Claims) -> bool:
    if not (-_BEYOND < claims.iat < _BEYOND and -_BEYOND < claims.exp < _BEYOND):
        return False
    return -_BEYOND < (claims.spend_cap or 0) < _BEYOND and -_BEYOND < (claims.delegation_expires_at or 0) < _BEYOND


def _holds_null(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_null(member) for member in value.values())
    return value is None


def _dollars(value: Decimal) -> float:
    # Judged as written: a double, or arithmetic of bounded precision, would round 0.10000000000000000000000000001 into something allowed.
    _, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits))
    decimals = -int(exponent) - (len(text) - len(text.rstrip("0"))) if value else 0
    if decimals > MOST_CAP_DECIMALS or not forms.is_spend_cap(float(value)):
        raise NotClaims("spend_cap")
    return float(value)
