"""The keys of the issuer as one process knows them: who signs, who is accepted, who never was ours (keys.md §1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clawscope.issuer.domain.key_errors import SIGNING_CONFIG_INVALID, SIGNING_NOT_READY
from clawscope.protocol.codes import SIGNING_NOT_CONFIGURED
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.verify_token import KeyEntry, KeySet

PURPOSES = ("token", "receipt", "checkpoint", "policy", "statement", "agent")
PREPARED, ACTIVE, VERIFY_ONLY, RETIRED, REVOKED = "prepared", "active", "verify_only", "retired", "revoked"
ACCEPTED_STATES = (ACTIVE, PREPARED, VERIFY_ONLY)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key row. `position` orders keys of one state; `sealed` is the encrypted seed of a managed key; times are epoch seconds."""

    kid: str
    purpose: str
    state: str
    public: bytes
    source: str
    position: int
    sealed: bytes | None
    created_at: int
    published_at: int
    activatable_at: int
    activated_at: int | None
    not_after_unix: int | None
    delay_waived: bool
    auto_activate: bool
    reason: str

    def is_accepted(self, now: int) -> bool:
        """Whether signatures of this key are accepted now: no skew on the cut-off."""
        if self.state == VERIFY_ONLY:
            return self.not_after_unix is not None and now <= self.not_after_unix
        return self.state in (ACTIVE, PREPARED)


class Keyring:
    """All key rows at one point of the key log, with the private halves this process can open."""

    def __init__(
        self, sequence: int, records: Iterable[KeyRecord], private: Mapping[str, SigningKey], waiting_kids: frozenset[str] = frozenset()
    ) -> None:
        self.sequence = sequence
        self.records = {record.kid: record for record in records}
        self._private = private
        self._waiting = waiting_kids
        self.key_set = KeySet({record.kid: _entry(record) for record in self.of("token")})

    def of(self, purpose: str) -> list[KeyRecord]:
        """The records of a purpose in the order active, prepared, verify-only, then the rest; by position within a state."""
        order = (ACTIVE, PREPARED, VERIFY_ONLY, RETIRED, REVOKED)
        found = [record for record in self.records.values() if record.purpose == purpose]
        return sorted(found, key=lambda record: (order.index(record.state), record.position))

    def accepted(self, purpose: str, now: int) -> list[KeyRecord]:
        """The accepted keys of a purpose, in JWKS order."""
        return [record for record in self.of(purpose) if record.is_accepted(now)]

    def active(self, purpose: str) -> KeyRecord | None:
        """The one active key of a purpose, if any."""
        return next((record for record in self.of(purpose) if record.state == ACTIVE), None)

    def signer(self, purpose: str) -> tuple[str, SigningKey]:
        """The kid and private key that sign now for a purpose.

        Raises 503 `SIGNING_NOT_CONFIGURED` (no active key), `SIGNING_NOT_READY` (published too short), `SIGNING_CONFIG_INVALID`
        (its seed does not open).
        """
        record = self.active(purpose)
        if record is None:
            if any(waiting.kid in self._waiting for waiting in self.of(purpose)):
                raise SIGNING_NOT_READY("the key signs once it was published long enough")
            raise SIGNING_NOT_CONFIGURED(f"no {purpose} key is active")
        key = self._private.get(record.kid)
        if key is None:
            raise SIGNING_CONFIG_INVALID("the active key's seed does not open; check the master key")
        return record.kid, key

    def private(self, kid: str) -> SigningKey | None:
        """The private half of any key this process can open (to sign a stored answer again)."""
        return self._private.get(kid)

    def can_sign(self, purpose: str) -> bool:
        """Whether `signer` would answer."""
        record = self.active(purpose)
        return record is not None and record.kid in self._private


def _entry(record: KeyRecord) -> KeyEntry:
    cut_off = record.not_after_unix if record.state == VERIFY_ONLY else None
    return KeyEntry(record.public, cut_off, record.state in (RETIRED, REVOKED))
