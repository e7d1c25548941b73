"""The one verifier of CSTs: syntax, signature, meaning, in the order of tokens.md §1.3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from clawscope.protocol import codes, jws
from clawscope.protocol.claims import VERSION, Claims, problem
from clawscope.protocol.claims_reading import NotClaims, from_document
from clawscope.protocol.keys import verify as signed_by
from clawscope.protocol.scope import scope_hash
from clawscope.protocol.token import hash_of
from clawscope.protocol.verdict import Denied


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A token key that is or was ours; `withdrawn` means retired or revoked, `not_after_unix` its cut-off in epoch seconds."""

    public: bytes
    not_after_unix: int | None = None
    withdrawn: bool = False

    def accepted_at(self, now: int) -> bool:
        """Whether the key verifies now: not withdrawn, and not past its cut-off, without skew (keys.md §1)."""
        return not self.withdrawn and (self.not_after_unix is None or now <= self.not_after_unix)


@dataclass(frozen=True, slots=True)
class KeySet:
    """Every token key this issuer ever had, by kid."""

    entries: Mapping[str, KeyEntry]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a verifier holds tokens to: the issuer's URL, the skew and longest lifetime in seconds, and whether a kid may be absent."""

    issuer: str
    clock_skew_s: int = 60
    hard_max_ttl_s: int = 86400
    accept_missing_kid: bool = False


class Verified(msgspec.Struct, frozen=True, gc=False):
    """A token that passed steps 1–12; `kid_source` is `header`, or `recovered` where the issuer found the key by trying."""

    claims: Claims
    token_hash: str
    kid: str
    kid_source: str


def verify(token: str, keys: KeySet | None, rules: Rules, now: int) -> Verified | Denied:
    """Steps 1–12 of §1.3, `now` in epoch seconds; step 13 is the caller's, with a `RevocationView`.

    1–4. syntax (`jws.split`). 5. a key set is loaded. 6. the kid was ever ours. 7. its key is accepted now. 8. the signature.
    9. the version. 10. the claims. 11. the scope hash. 12. the times. No claim is judged before step 8.
    """
    parsed = jws.split(token)  # 1–4
    if isinstance(parsed, Denied):
        return parsed
    if keys is None:
        return Denied(codes.SIGNING_NOT_CONFIGURED)  # 5
    if parsed.kid is None:
        kid = _recovered_kid(parsed, keys, rules, now)  # 6–8
        if isinstance(kid, Denied):
            return kid
    else:
        kid = parsed.kid
        denied = _judge_signature(parsed, kid, keys, now)  # 6–8
        if denied is not None:
            return denied
    claims = _judge_claims(parsed, rules)  # 9–11
    if isinstance(claims, Denied):
        return claims
    denied = _judge_times(claims, rules, now)  # 12
    if denied is not None:
        return denied
    return Verified(claims, hash_of(token), kid, "recovered" if parsed.kid is None else "header")


def still_good(verified: Verified, keys: KeySet | None, rules: Rules, now: int) -> Denied | None:
    """Steps 5–7 and 12 again for a token verified earlier: what time and key moves can change."""
    if keys is None:
        return Denied(codes.SIGNING_NOT_CONFIGURED)  # 5
    denied = _judge_key(keys.entries.get(verified.kid), now)  # 6, 7
    return denied or _judge_times(verified.claims, rules, now)  # 12


def _judge_key(entry: KeyEntry | None, now: int) -> Denied | None:
    if entry is None:
        return Denied(codes.TOKEN_UNKNOWN_KID)  # 6
    if not entry.accepted_at(now):
        return Denied(codes.TOKEN_KID_EXPIRED)  # 7
    return None


def _judge_signature(parsed: jws.Parsed, kid: str, key_set: KeySet, now: int) -> Denied | None:
    entry = key_set.entries.get(kid)
    denied = _judge_key(entry, now)  # 6, 7
    if entry is None or denied is not None:
        return denied
    if not signed_by(entry.public, parsed.signing_input, parsed.signature):
        return Denied(codes.TOKEN_SIGNATURE_INVALID)  # 8
    return None


def _recovered_kid(parsed: jws.Parsed, key_set: KeySet, rules: Rules, now: int) -> str | Denied:
    if not rules.accept_missing_kid:
        return Denied(codes.TOKEN_UNKNOWN_KID, "the token names no key")  # 6
    # Only keys accepted now are tried: their number is bounded, that of all keys ever is not.
    for kid, entry in key_set.entries.items():
        if entry.accepted_at(now) and signed_by(entry.public, parsed.signing_input, parsed.signature):
            return kid
    return Denied(codes.TOKEN_SIGNATURE_INVALID, "no key of this issuer signed the token")  # 8


def _judge_claims(parsed: jws.Parsed, rules: Rules) -> Claims | Denied:
    content = parsed.content
    if isinstance(content, Claims):
        claims = content
    else:
        if content.get("token_version", VERSION) != VERSION:
            return Denied(codes.TOKEN_UNKNOWN_VERSION)  # 9
        try:
            claims = from_document(content)  # 10
        except NotClaims as fault:
            return _not_claims(fault.claim)
    if claims.token_version != VERSION:
        return Denied(codes.TOKEN_UNKNOWN_VERSION)  # 9
    wrong = problem(claims, hard_max_ttl_s=rules.hard_max_ttl_s)  # 10
    if wrong is not None:
        return _not_claims(wrong)
    if claims.iss is not None and claims.iss != rules.issuer:
        return Denied(codes.TOKEN_INVALID_CLAIMS, "iss is another issuer", "iss")
    if not claims.token_scope_hash_b64u:
        return Denied(codes.TOKEN_SCOPE_HASH_REQUIRED, field="token_scope_hash_b64u")  # 11
    if claims.token_scope_hash_b64u != scope_hash(claims.scope):
        return Denied(codes.TOKEN_SCOPE_HASH_MISMATCH, field="token_scope_hash_b64u")
    return claims


def _not_claims(name: str | None) -> Denied:
    return Denied(codes.TOKEN_INVALID_CLAIMS, f"{name} is missing or of the wrong form" if name else "a member is no claim", name)


def _judge_times(claims: Claims, rules: Rules, now: int) -> Denied | None:
    if claims.exp <= now - rules.clock_skew_s:
        return Denied(codes.TOKEN_EXPIRED, field="exp")
    if claims.iat > now + rules.clock_skew_s:
        return Denied(codes.TOKEN_NOT_YET_VALID, field="iat")
    if claims.delegation_expires_at is not None and claims.delegation_expires_at <= now - rules.clock_skew_s:
        return Denied(codes.TOKEN_DELEGATION_EXPIRED, field="delegation_expires_at")
    return None
