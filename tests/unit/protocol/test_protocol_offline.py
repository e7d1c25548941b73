"""Verifying without the issuer: what refuses, and what merely leaves a token undecided."""

from __future__ import annotations

from collections.abc import Callable

from clawscope.protocol.binding import Expectation
from clawscope.protocol.claims import Claims
from clawscope.protocol.offline import OfflineVerifier, Verdict
from clawscope.protocol.revocation import KeyRevoked, RevocationView, TokenRevoked
from clawscope.protocol.verify_token import KeySet, Rules

NOW = 1_800_000_100
JTI = "00000000-0000-4000-8000-000000000001"
MakeToken = Callable[..., str]


def outcome(verdict: Verdict) -> tuple[str, str | None]:
    return verdict.outcome, verdict.denied.code.name if verdict.denied else None


def test_a_good_token_with_fresh_evidence_is_ok(
    make_token: MakeToken, make_claims: Callable[..., Claims], key_set: KeySet, rules: Rules
) -> None:
    verifier = OfflineVerifier(rules, keys=key_set, view=RevocationView(), view_as_of=NOW - 30)
    verdict = verifier.verify(make_token(), NOW, Expectation(aud=["https://clawproxy.example"], run_id="run_1"))
    assert verdict.good
    assert verdict.verified is not None
    assert verdict.verified.claims == make_claims()
    assert (verdict.as_of, verdict.sequence) == (NOW - 30, 0)


def test_missing_or_stale_evidence_decides_nothing_and_passes_nothing(make_token: MakeToken, key_set: KeySet, rules: Rules) -> None:
    token = make_token()
    assert outcome(OfflineVerifier(rules).verify(token, NOW)) == ("no_keys", "SIGNING_NOT_CONFIGURED")
    assert outcome(OfflineVerifier(rules, keys=key_set).verify(token, NOW)) == ("no_view", "REVOCATION_UNAVAILABLE")
    for as_of in (NOW - 31, NOW + 61):
        verifier = OfflineVerifier(rules, keys=key_set, view=RevocationView(), view_as_of=as_of)
        verdict = verifier.verify(token, NOW)
        assert outcome(verdict) == ("stale_view", "REVOCATION_UNAVAILABLE")
        assert not verdict.good


def test_a_definite_refusal_beats_stale_evidence(make_token: MakeToken, key_set: KeySet, rules: Rules, kid: str) -> None:
    token = make_token()
    view = RevocationView()
    verifier = OfflineVerifier(rules, keys=key_set, view=view, view_as_of=0)
    assert outcome(verifier.verify(token, NOW + 3600)) == ("refused", "TOKEN_EXPIRED")
    assert outcome(verifier.verify(token[:-1], NOW)) == ("refused", "TOKEN_MALFORMED")
    assert outcome(verifier.verify(token, NOW, Expectation(aud=["x"]))) == ("refused", "TOKEN_AUD_MISMATCH")
    view.apply(KeyRevoked(1, kid))
    assert outcome(verifier.verify(token, NOW)) == ("refused", "TOKEN_KID_EXPIRED")
    view.apply(TokenRevoked(2, jti=JTI, revoked_at=NOW))
    verdict = verifier.verify(token, NOW)
    assert outcome(verdict) == ("refused", "TOKEN_REVOKED")
    assert verdict.hit is not None
    assert verdict.hit.kind == "token"


def test_expiry_beats_revocation(make_token: MakeToken, key_set: KeySet, rules: Rules) -> None:
    view = RevocationView()
    view.apply(TokenRevoked(1, jti=JTI))
    verifier = OfflineVerifier(rules, keys=key_set, view=view, view_as_of=NOW + 3600)
    assert outcome(verifier.verify(make_token(), NOW + 3600)) == ("refused", "TOKEN_EXPIRED")
