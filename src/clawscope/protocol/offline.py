"""Verifying CSTs without the issuer at hand: keys, a revocation view, and how old that view is (verifier.md §2, §10)."""

from __future__ import annotations

from typing import Literal

import msgspec

from clawscope.protocol import binding, codes
from clawscope.protocol.binding import Expectation
from clawscope.protocol.revocation import Hit, RevocationView
from clawscope.protocol.verdict import Denied
from clawscope.protocol.verify_token import KeySet, Rules, Verified, verify

Outcome = Literal["ok", "refused", "no_keys", "no_view", "stale_view"]


class Verdict(msgspec.Struct, frozen=True):
    """What was found, and as of when nothing was revoked.

    `ok`: good. `refused`: `denied` says why, whatever the evidence's age. `no_keys`, `no_view`, `stale_view`: nothing speaks
    against the token, but the evidence does not suffice; that is a refusal too. `as_of` is the view's last contact in epoch
    seconds, `sequence` its last row.
    """

    outcome: Outcome
    denied: Denied | None = None
    verified: Verified | None = None
    hit: Hit | None = None
    as_of: int | None = None
    sequence: int | None = None

    @property
    def good(self) -> bool:
        """Whether the token may be honoured."""
        return self.outcome == "ok"


class OfflineVerifier:
    """Keys, rules and a revocation view held together; whoever keeps the evidence fresh sets `keys`, `view` and `view_as_of`."""

    def __init__(
        self,
        rules: Rules,
        *,
        keys: KeySet | None = None,
        view: RevocationView | None = None,
        view_as_of: int | None = None,
        max_staleness_s: int = 30,
    ) -> None:
        self.rules = rules
        self.keys = keys
        self.view = view
        self.view_as_of = view_as_of
        self.max_staleness_s = max_staleness_s

    def verify(self, token: str, now: int, expect: Expectation | None = None) -> Verdict:
        """Judge a token at `now` (epoch seconds). A definite refusal beats stale evidence.

        1. steps 1–12 of tokens.md §1.3. 2. the expectation. 3. revocation of the token, its lineage, by cut-off, of its key.
        4. a view is there, its last contact at most `max_staleness_s` ago and not from the future.
        """
        if self.keys is None:
            return Verdict("no_keys", Denied(codes.SIGNING_NOT_CONFIGURED))
        view, as_of = self.view, self.view_as_of
        sequence = None if view is None else view.sequence
        verified = verify(token, self.keys, self.rules, now)  # 1
        if isinstance(verified, Denied):
            return Verdict("refused", verified, None, None, as_of, sequence)
        if expect is not None:
            fit = binding.check(verified.claims, expect)  # 2
            if isinstance(fit, Denied):
                return Verdict("refused", fit, verified, None, as_of, sequence)
        if view is None or as_of is None:
            return Verdict("no_view", Denied(codes.REVOCATION_UNAVAILABLE), verified)
        hit = view.hit(verified.claims, verified.token_hash)  # 3
        if hit is not None:
            return Verdict("refused", Denied(codes.TOKEN_REVOKED), verified, hit, as_of, sequence)
        if verified.kid in view.revoked_kids:
            return Verdict("refused", Denied(codes.TOKEN_KID_EXPIRED), verified, None, as_of, sequence)
        if not -self.rules.clock_skew_s <= now - as_of <= self.max_staleness_s:
            return Verdict("stale_view", Denied(codes.REVOCATION_UNAVAILABLE), verified, None, as_of, sequence)  # 4
        return Verdict("ok", None, verified, None, as_of, sequence)
