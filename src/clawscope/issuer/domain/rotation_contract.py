"""The key set as verifiers are told it: one derivation for contract, JWKS and key log, so that they never disagree (keys.md §4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clawscope.issuer.domain.keyring import ACTIVE, PREPARED, REVOKED, VERIFY_ONLY, KeyRecord
from clawscope.protocol.key_snapshot import ExpiringKid, KeyState, PreparedKid

_ORDER = (ACTIVE, PREPARED, VERIFY_ONLY)


def accepted(records: Iterable[KeyRecord], now: int, purpose: str = "token") -> list[KeyRecord]:
    """The accepted keys of a purpose in the order active, prepared or standing by, verify-only; by position within each."""
    found = [record for record in records if record.purpose == purpose and record.is_accepted(now)]
    return sorted(found, key=lambda record: (_ORDER.index(record.state), record.position, record.kid))


def key_state(records: Iterable[KeyRecord], now: int, overlap_s: int) -> KeyState:
    """The token keys at `now`. A key from configuration is a signing key while it stands by; a managed one is `prepared`."""
    known = list(records)
    taken = accepted(known, now)
    active = next((record.kid for record in taken if record.state == ACTIVE), None)
    standing_by = [record for record in taken if record.state == PREPARED]
    verifying = [record for record in taken if record.state == VERIFY_ONLY]
    revoked = [record for record in known if record.purpose == "token" and record.state == REVOKED]
    return KeyState(
        active_kid=active,
        accepted_kids=[record.kid for record in taken],
        signing_kids=([active] if active else []) + [record.kid for record in standing_by if record.source == "config"],
        verify_only_kids=[record.kid for record in verifying],
        expiring_kids=[ExpiringKid(record.kid, record.not_after_unix or 0) for record in verifying],
        overlap_seconds=overlap_s,
        prepared_kids=[
            PreparedKid(record.kid, record.activatable_at) for record in standing_by if record.source != "config" or record.auto_activate
        ],
        revoked_kids=[record.kid for record in sorted(revoked, key=lambda record: (record.position, record.kid))],
    )


def contract(state: KeyState) -> dict[str, Any]:
    """The body of `GET /v1/keys/rotation-contract`."""
    return {
        "contract_version": "2",
        "key_algorithm": "Ed25519",
        "active_kid": state.active_kid,
        "accepted_kids": list(state.accepted_kids),
        "signing_kids": list(state.signing_kids),
        "verify_only_kids": list(state.verify_only_kids),
        "overlap_seconds": state.overlap_seconds,
        "overlap_window_open": state.overlap_seconds > 0 and len(state.accepted_kids) > 1,
        "expiring_kids": [{"kid": one.kid, "not_after_unix": one.not_after_unix} for one in state.expiring_kids],
        "jwks_endpoint": "/v1/jwks",
        "revocation_stream_endpoint": "/v1/revocations/stream",
        "prepared_kids": [{"kid": one.kid, "activates_at_unix": one.activates_at_unix} for one in state.prepared_kids],
        "revoked_kids": list(state.revoked_kids),
    }
