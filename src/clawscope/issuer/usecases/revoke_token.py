"""Revoke a token, its hash or its whole family; authoritative at commit (tokens.md §4.1)."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.issuer.domain import errors, events
from clawscope.issuer.domain.caller import Caller
from clawscope.issuer.domain.feed import TOKEN, FeedRow
from clawscope.issuer.domain.issuance import Issuance
from clawscope.issuer.ports import Store, View, Work
from clawscope.issuer.usecases.recording import event_of
from clawscope.kernel.clock import Clock, iso_ms
from clawscope.kernel.codes import INVALID_REQUEST
from clawscope.kernel.text import trimmed
from clawscope.protocol import jws
from clawscope.protocol.claims import Claims
from clawscope.protocol.claims_reading import NotClaims, from_document
from clawscope.protocol.keys import verify as signed_by
from clawscope.protocol.token import hash_of
from clawscope.protocol.verdict import Denied
from clawscope.protocol.verify_token import KeySet

MOST_REASON = 256


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be revoked: a hash, a `jti`, or both; the claims and `exp` where the signature is ours."""

    token_hash: str | None = None
    jti: str | None = None
    claims: Claims | None = None


@dataclass(frozen=True, slots=True)
class RevokeAnswer:
    """What a revoke came to; `descendants` counts live tokens that ended with it, `effective_within_s` is the bound for verifiers."""

    status: str
    sequence: int
    revoked_at: int
    revoked_at_iso: str
    event_key: str
    known: bool
    descendants: int
    effective_within_s: int
    token_hash: str | None = None
    jti: str | None = None


class RevokeToken:
    """Finds what is meant, judges the caller's reach, appends one feed row."""

    def __init__(self, store: Store, view: View, clock: Clock, *, hard_max_ttl_s: int, clock_skew_s: int, effective_within_s: int) -> None:
        self._store = store
        self._view = view
        self._clock = clock
        self._longest_s = hard_max_ttl_s + 2 * clock_skew_s
        self._within_s = effective_within_s

    async def __call__(
        self, caller: Caller, *, token: str | None, token_hash: str | None, jti: str | None, reason: str | None, family: bool = False
    ) -> RevokeAnswer:
        """Revoke. Raises `INVALID_TOKEN`, `INVALID_TOKEN_HASH`, `INVALID_REQUEST`, `REVOKE_NOT_ALLOWED`, store codes."""
        known = await self._view.fresh()
        target = read_target(token, token_hash, jti, known.keyring.key_set)
        kept_reason = trimmed(reason or "")[:MOST_REASON]
        return await self._store.transact(lambda work: self._record(work, caller, target, kept_reason, family))

    def _record(self, work: Work, caller: Caller, target: Target, reason: str, family: bool) -> RevokeAnswer:
        work.revocations.queue()
        issuance = _issuance(work, target)
        if not _within_reach(caller, issuance, target):
            raise errors.REVOKE_NOT_ALLOWED("this token belongs to somebody else")
        if family:
            issuance, target = _root(work, issuance, target)
        token_hash = issuance.token_hash if issuance else target.token_hash
        jti = issuance.claims["jti"] if issuance else target.jti
        existing = work.revocations.find(jti, token_hash)
        if existing is not None:
            return self._answer("already_revoked", existing, issuance, 0)
        now = self._clock.now()
        row = FeedRow(
            sequence=work.revocations.next_sequence(),
            kind=TOKEN,
            exp=self._last_hit(issuance, target, now),
            reason=reason,
            revoked_by=caller.principal.credential,
            revoked_at=now,
            committed_at_ms=work.committed_at_ms(),
            jti=jti,
            token_hash=token_hash,
            org_id=issuance.claims.get("org_id") if issuance else None,
            owner_did=issuance.claims.get("owner_did") if issuance else None,
        )
        descendants = work.issuances.descendants_of(jti, now) if jti is not None and issuance is not None else 0
        work.revocations.add(row)
        named = {"org_id": row.org_id, "token_hash": row.token_hash, "jti": row.jti, "sequence": row.sequence}
        work.events.put(event_of(events.TOKEN_REVOKED, caller, now, **named))
        return self._answer("revoked", row, issuance, descendants)

    def _last_hit(self, issuance: Issuance | None, target: Target, now: int) -> int:
        # An unknown token cannot outlive the longest lifetime from now.
        if issuance is not None:
            return int(issuance.claims["exp"])
        return max(target.claims.exp if target.claims else 0, now + self._longest_s)

    def _answer(self, status: str, row: FeedRow, issuance: Issuance | None, descendants: int) -> RevokeAnswer:
        return RevokeAnswer(
            status,
            row.sequence,
            row.revoked_at,
            iso_ms(row.revoked_at),
            row.event_key,
            issuance is not None,
            descendants,
            self._within_s,
            row.token_hash,
            row.jti,
        )


def read_target(token: str | None, token_hash: str | None, jti: str | None, keys: KeySet) -> Target:
    """What the request names. A token's `jti` counts only if the signature is ours. Raises the 400 codes of §4.1."""
    if token is None and token_hash is None and jti is None:
        raise INVALID_REQUEST("name a token, a token_hash or a jti")
    found_hash = None if token_hash is None else read_hash(token_hash)
    if jti is not None and not (0 < len(jti) <= 36 and jti.isascii() and jti.isprintable()):
        raise INVALID_REQUEST("jti: is a UUID")
    if token is None:
        return Target(found_hash, jti)
    parsed = jws.split(token)
    if isinstance(parsed, Denied):
        raise errors.INVALID_TOKEN("token", fix="send the token exactly as it was issued")
    claims = _own_claims(parsed, keys)
    own_hash, own_jti = hash_of(token), claims.jti if claims else None
    if found_hash not in (None, own_hash) or (jti is not None and jti != own_jti):
        raise INVALID_REQUEST("token, token_hash and jti name different tokens", fix="send one of them")
    return Target(own_hash, own_jti, claims)


def read_hash(text: str) -> str:
    """A token hash, trimmed and lower-cased. Raises `INVALID_TOKEN_HASH`."""
    value = trimmed(text).lower()
    if len(value) != 64 or any(char not in "0123456789abcdef" for char in value):
        raise errors.INVALID_TOKEN_HASH("token_hash", fix="send 64 hex digits")
    return value


def _own_claims(parsed: jws.Parsed, keys: KeySet) -> Claims | None:
    """The claims of a token any of our keys ever signed, expired and withdrawn ones included."""
    entry = keys.entries.get(parsed.kid or "")
    if entry is None or not signed_by(entry.public, parsed.signing_input, parsed.signature):
        return None
    try:
        return parsed.content if isinstance(parsed.content, Claims) else from_document(parsed.content)
    except NotClaims:
        return None


def _root(work: Work, issuance: Issuance | None, target: Target) -> tuple[Issuance | None, Target]:
    """The root of the lineage of what is named; itself where it has none."""
    lineage = issuance.claims.get("lineage") if issuance else (target.claims.lineage if target.claims else None)
    if not lineage:
        return issuance, target
    return work.issuances.by_jti(lineage[0]), Target(None, lineage[0])


def _issuance(work: Work, target: Target) -> Issuance | None:
    found = work.issuances.by_hash(target.token_hash) if target.token_hash is not None else None
    if target.jti is None:
        return found
    by_jti = found if found is not None and found.claims["jti"] == target.jti else work.issuances.by_jti(target.jti)
    if found is not None and by_jti is not None and found.token_hash != by_jti.token_hash:
        raise INVALID_REQUEST("token_hash and jti name different tokens", fix="send one of them")
    if target.token_hash is not None and by_jti is not None and by_jti.token_hash != target.token_hash and target.claims is None:
        raise INVALID_REQUEST("token_hash and jti name different tokens", fix="send one of them")
    return found or by_jti


def _within_reach(caller: Caller, issuance: Issuance | None, target: Target) -> bool:
    reach = caller.principal.reach
    if reach.everything:
        return True
    claims = issuance.claims if issuance else {}
    if caller.principal.token_hash is not None and caller.principal.token_hash == (issuance.token_hash if issuance else target.token_hash):
        return True
    return issuance is not None and reach.covers(claims.get("org_id"), claims.get("owner_did"), claims.get("client_id"))
