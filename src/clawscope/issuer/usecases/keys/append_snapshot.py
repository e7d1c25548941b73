"""Append a signed, linked snapshot of the key set, inside the transaction that changed it (keys.md §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clawscope.issuer.domain import events
from clawscope.issuer.domain.key_errors import SIGNING_CONFIG_INVALID
from clawscope.issuer.domain.key_moves import active_of
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import KeyRecord
from clawscope.issuer.domain.rotation_contract import key_state
from clawscope.issuer.ports import Work
from clawscope.issuer.usecases.keys.vault import Vault
from clawscope.kernel.events import Event
from clawscope.kernel.ids import new_id
from clawscope.protocol.codes import SIGNING_NOT_CONFIGURED
from clawscope.protocol.key_snapshot import FIRST_PREVIOUS, Reason, build, encode
from clawscope.protocol.keys import SigningKey

Snapshot = Mapping[str, Any]


class AppendSnapshot:
    """Signs what the key rows say in this transaction. Call `moment` before the first change: it makes writers queue."""

    def __init__(self, vault: Vault, rules: KeyRules) -> None:
        self._vault = vault
        self._rules = rules

    def __call__(self, work: Work, reason: Reason, now: int) -> Snapshot:
        """The appended snapshot. Raises 503 `SIGNING_NOT_CONFIGURED`, `SIGNING_CONFIG_INVALID` if a key that must sign cannot."""
        at = self.moment(work, now)
        last = work.snapshots.take()
        previous = work.snapshots.latest()
        records = work.keys.all()
        state = key_state(records, at, self._rules.overlap_s)
        statement = active_of(records, "statement")
        if statement is None:
            raise SIGNING_NOT_CONFIGURED("no statement key is active")
        token = active_of(records, "token")
        entry = build(
            state,
            sequence=last + 1,
            reason=reason,
            generated_at=at,
            prev_entry_hash_b64u=previous["entry_hash_b64u"] if previous else FIRST_PREVIOUS,
            token_key=self._opened(token) if token else None,
            statement_key=self._opened(statement),
            statement_kid=statement.kid,
        )
        snapshot: dict[str, Any] = msgspec.json.decode(encode(entry))
        work.snapshots.append(snapshot)
        data = {"sequence": entry.sequence, "reason": reason, "kid": state.active_kid, "snapshot_id": entry.snapshot_id}
        work.events.put(Event(new_id("evt"), events.KEY_SNAPSHOT_PUBLISHED, at, data))
        return snapshot

    def moment(self, work: Work, now: int) -> int:
        """The second at which a change made now stands in the log: the clock of another process may be ahead, log time never falls."""
        work.snapshots.take()
        previous = work.snapshots.latest()
        return max(now, previous["generated_at"]) if previous else now

    def can_sign(self, record: KeyRecord | None) -> bool:
        """Whether this process could sign an entry with that key as the active one."""
        return record is None or self._vault.private(record) is not None

    def _opened(self, record: KeyRecord) -> SigningKey:
        key = self._vault.private(record)
        if key is None:
            raise SIGNING_CONFIG_INVALID(f"the seed of the active {record.purpose} key does not open; check the master key")
        return key
