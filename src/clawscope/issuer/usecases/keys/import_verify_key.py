"""Take in the public half of a former key, so that its tokens live out their time (keys.md §3)."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.issuer.domain.key_material import kid_of, read_public, refuse_kid, refuse_known
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import VERIFY_ONLY, KeyRecord
from clawscope.issuer.ports import Store, Work
from clawscope.issuer.usecases.keys.append_snapshot import AppendSnapshot
from clawscope.issuer.usecases.keys.make_moves import Why, add_key, read_why, run_move
from clawscope.issuer.usecases.keys.prepare_key import refuse_read_only
from clawscope.issuer.usecases.keys.vault import Vault
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import INVALID_REQUEST


@dataclass(frozen=True, slots=True)
class Imported:
    """A key that verifies until its cut-off and never signs here."""

    kid: str
    state: str
    not_after_unix: int


class ImportVerifyKey:
    """One transaction: row, snapshot, event."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, rules: KeyRules) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._append = AppendSnapshot(vault, rules)

    async def __call__(self, actor: str, x: str, not_after_unix: int, kid: str | None, reason: str) -> Imported:
        """Import a token key. Raises `KEYS_READ_ONLY`, `KEY_INVALID`, `KID_TAKEN`, `INVALID_REQUEST` for a cut-off that has passed."""
        why = read_why(actor, reason)
        refuse_read_only(self._rules)
        public = read_public(x)
        if kid is not None:
            refuse_kid(kid)
        named = kid if kid is not None else kid_of("token", public, self._rules.kid_rule)
        return await run_move(self._store, self._clock, why, named, lambda work: self._record(work, named, public, not_after_unix, why))

    def _record(self, work: Work, kid: str, public: bytes, not_after_unix: int, why: Why) -> Imported:
        now = self._append.moment(work, self._clock.now())
        if not_after_unix <= now:
            raise INVALID_REQUEST("not_after_unix lies in the past", fix="give a cut-off in epoch seconds to come")
        refuse_known(work.keys.all(), kid, public)
        record = KeyRecord(
            kid=kid,
            purpose="token",
            state=VERIFY_ONLY,
            public=public,
            source="import",
            position=now,
            sealed=None,
            created_at=now,
            published_at=now,
            activatable_at=now,
            activated_at=None,
            not_after_unix=not_after_unix,
            delay_waived=False,
            auto_activate=False,
            reason=why.reason,
        )
        add_key(work, record, why)
        self._append(work, "manual", now)
        return Imported(kid, VERIFY_ONLY, not_after_unix)
