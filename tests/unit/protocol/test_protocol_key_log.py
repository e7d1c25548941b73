"""The key log: its golden entry, legal lives of keys, and every way a log can be broken."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from clawscope.protocol import jcs, key_log
from clawscope.protocol import key_snapshot as snap
from clawscope.protocol.jwk import thumbprint
from clawscope.protocol.key_snapshot import Entry, ExpiringKid, KeyState, PreparedKid
from clawscope.protocol.keys import SigningKey

T0 = 1_800_000_000
KEYS = {thumbprint(key.public): key for key in (SigningKey.from_seed(bytes([number]) * 32) for number in range(1, 5))}
A, B, C, D = KEYS
STATEMENTS = {thumbprint(key.public): key for key in (SigningKey.from_seed(bytes([number]) * 32) for number in (8, 9))}
S, S2 = STATEMENTS
Step = tuple[int, str, KeyState]


def state(
    active: str | None,
    *,
    prepared: Sequence[tuple[str, int]] = (),
    verify: Sequence[tuple[str, int]] = (),
    signing: Sequence[str] = (),
    revoked: Sequence[str] = (),
) -> KeyState:
    signers = list(dict.fromkeys([*([active] if active else []), *signing]))
    accepted = [*signers, *(kid for kid, _ in prepared), *(kid for kid, _ in verify)]
    return KeyState(
        active,
        accepted,
        signers,
        [kid for kid, _ in verify],
        [ExpiringKid(*one) for one in verify],
        3600,
        [PreparedKid(*one) for one in prepared],
        revoked,
    )


def log_of(steps: Sequence[Step], *, statement: str = S) -> list[Entry]:
    entries: list[Entry] = []
    for at, reason, keys in steps:
        previous = entries[-1].entry_hash_b64u if entries else snap.FIRST_PREVIOUS
        entries.append(
            snap.build(
                keys,
                sequence=len(entries) + 1,
                reason=reason,  # type: ignore[arg-type]  # a step names its reason as plain text
                generated_at=at,
                prev_entry_hash_b64u=previous,
                token_key=KEYS[keys.active_kid] if keys.active_kid else None,
                statement_key=STATEMENTS[statement],
                statement_kid=statement,
            )
        )
    return entries


def check(entries: Sequence[Entry], **members: Any) -> key_log.LogReport:
    known: dict[str, Any] = {
        "token_keys": {kid: key.public for kid, key in KEYS.items()},
        "statement_keys": {kid: key.public for kid, key in STATEMENTS.items()},
        "publish_delay_s": 600,
    }
    return key_log.verify_chain(entries, **(known | members))


LIFE: list[Step] = [
    (T0, "boot", state(A)),
    (T0 + 10, "prepared", state(A, prepared=[(B, T0 + 610)])),
    (T0 + 300, "refresh", state(A, prepared=[(B, T0 + 610)])),
    (T0 + 610, "activated", state(B, verify=[(A, T0 + 4330)])),
    (T0 + 4331, "retired", state(B)),
    (T0 + 4331, "prepared", state(B, prepared=[(C, T0 + 4931)])),
    (T0 + 4400, "revoked", state(C, revoked=[B])),
    (T0 + 4500, "delay_waived", state(D, verify=[(C, T0 + 9000)], revoked=[B])),
]


def test_the_golden_entry_comes_out_byte_for_byte(token_key: SigningKey, statement_key: SigningKey, kid: str) -> None:
    entry = snap.build(
        KeyState(kid, [kid], [kid], overlap_seconds=3600),
        sequence=1,
        reason="boot",
        generated_at=T0,
        prev_entry_hash_b64u=snap.FIRST_PREVIOUS,
        token_key=token_key,
        statement_key=statement_key,
        statement_kid=thumbprint(statement_key.public),
    )
    golden = {
        "snapshot_version": "1",
        "generated_at": T0,
        "generated_at_iso": "2027-01-15T08:00:00.000Z",
        "active_kid": kid,
        "accepted_kids": [kid],
        "signing_kids": [kid],
        "verify_only_kids": [],
        "expiring_kids": [],
        "overlap_seconds": 3600,
        "snapshot_id": f"kts_1800000000_{kid}_1",
        "snapshot_hash_b64u": "pj95-31NakdxXJDs63o_a5J292oSaDsW5BFQ-Yw7tH8",
        "signer_kid": kid,
        "signature_b64u": "2txwYI7gQd8QsYsgPianT4-LBmI9NpBjATUSfRszF1_A3nU20xpzFb5oP8CK_kkMWLqy3ssBcCYGE7iMEHLTDQ",
        "sequence": 1,
        "reason": "boot",
        "prev_entry_hash_b64u": "A" * 43,
        "prepared_kids": [],
        "revoked_kids": [],
        "statement_kid": "FVV5umTuau890q59V-4Ga_R6qWb7ON_ivJc4EjvCwTM",
        "entry_hash_b64u": "oeTpVvxqCyE3OztMMRvvtFOtBDKyF1OaDr5Mtt5wS3o",
        "entry_signature_b64u": "cEqfOS4fUuEBVaK8jZ-c-7iB1pFT-UK7xT-73kxHpzVyLGYhAjWBFBHG5VQLvG-rDRcfr-5HfLdkqg70jFgtAQ",
    }
    assert snap.encode(entry).decode() == json.dumps(golden, separators=(",", ":"))
    assert snap.read(golden) == entry


def test_the_chained_text_is_canonical_json() -> None:
    for entry in log_of(LIFE):
        members = msgspec.to_builtins(entry)
        del members["entry_hash_b64u"], members["entry_signature_b64u"]
        assert snap.entry_text(entry) == b"clawscope/key-snapshot/v1\n" + jcs.canonical(members)


def test_a_lawful_life_of_keys_holds_from_any_trusted_entry() -> None:
    entries = log_of(LIFE)
    report = check(entries)
    assert report.intact, report
    assert (report.checked, report.last_sequence, report.last_hash) == (8, 8, entries[-1].entry_hash_b64u)
    for start in range(1, len(entries)):
        assert check(entries[start:], trusted=entries[start - 1]).intact


def test_a_configured_set_may_stand_by_and_start_with_keys_gone() -> None:
    report = check(
        log_of(
            [
                (T0, "boot", state(A, signing=[B])),
                (T0 + 700, "activated", state(B, signing=[A])),
                (T0 + 9000, "boot", state(A)),
                (T0 + 9100, "boot", state(None, signing=[])),
            ]
        )
    )
    assert report.intact, report


Damage = Callable[[list[Entry]], list[Entry]]


def replaced(index: int, **members: Any) -> Damage:
    return lambda entries: [*entries[:index], msgspec.structs.replace(entries[index], **members), *entries[index + 1 :]]


@pytest.mark.parametrize(
    ("damage", "at", "why"),
    [
        (lambda entries: entries[1:], 2, "sequence"),
        (lambda entries: [*entries[:3], *entries[4:]], 5, "sequence"),
        (lambda entries: [entries[0], entries[2], entries[1]], 3, "sequence"),
        (replaced(3, prev_entry_hash_b64u="B" * 43), 4, "link"),
        (replaced(3, generated_at=T0 + 299), 4, "time"),
        (replaced(3, generated_at_iso="2027-01-15T08:00:00.000Z"), 4, "shape"),
        (replaced(3, snapshot_id="kts_1_a_4"), 4, "shape"),
        (replaced(3, overlap_seconds=1), 4, "snapshot_hash"),
        (replaced(3, reason="refresh"), 4, "entry_hash"),
        (replaced(3, revoked_kids=(A,)), 4, "entry_hash"),
        (replaced(3, entry_signature_b64u="A" * 86), 4, "entry_signature"),
        (replaced(3, entry_signature_b64u=""), 4, "entry_signature"),
    ],
)
def test_the_first_break_of_a_damaged_log_is_named(damage: Damage, at: int, why: str) -> None:
    report = check(damage(log_of(LIFE)))
    assert (report.broken_at, report.why) == (at, why)


def test_entries_by_keys_nobody_knows_break_the_log() -> None:
    entries = log_of(LIFE)
    assert check(entries, token_keys={}).why == "signature"
    assert check(entries, token_keys={A: KEYS[B].public}).why == "signature"
    assert check(entries, statement_keys={}).why == "entry_signature"


@pytest.mark.parametrize(
    ("steps", "why", "kid"),
    [
        ([(T0, "boot", state(A)), (T0 + 1, "activated", state(B, verify=[(A, T0 + 99)]))], "delay", B),
        ([*LIFE[:2], (T0 + 609, "activated", state(B, verify=[(A, T0 + 9999)]))], "delay", B),
        ([*LIFE[:4], (T0 + 4330, "retired", state(B))], "cut_off", A),
        ([*LIFE[:5], (T0 + 5000, "prepared", state(B, prepared=[(A, T0 + 9999)]))], "move", A),
        ([*LIFE[:7], (T0 + 5000, "prepared", state(C, prepared=[(B, T0 + 9999)]))], "move", B),
        ([*LIFE[:7], (T0 + 5000, "refresh", state(C))], "move", B),
        ([*LIFE[:4], (T0 + 700, "activated", state(A, verify=[(B, T0 + 9999)]))], "move", A),
        ([*LIFE[:2], (T0 + 700, "activated", state(B))], "move", A),
        ([*LIFE[:1], (T0 + 1, "prepared", state(B, prepared=[(A, T0 + 601)]))], "move", A),
    ],
)
def test_unlawful_moves_of_keys_are_named(steps: list[Step], why: str, kid: str) -> None:
    report = check(log_of(steps))
    assert (report.broken_at, report.why, report.kid) == (len(steps), why, kid)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (KeyState(A, [B], [A]), "key_sets"),
        (KeyState(A, [A, A], [A]), "key_sets"),
        (KeyState(A, [A], []), "key_sets"),
        (KeyState(A, [A, B], [A]), "key_sets"),
        (KeyState(A, [A], [A], revoked_kids=[A]), "key_sets"),
        (KeyState(A, [A], [A], verify_only_kids=[A]), "key_sets"),
        (KeyState(A, [A], [A], prepared_kids=[PreparedKid(A, T0)]), "key_sets"),
        (KeyState(A, [A], [A], expiring_kids=[ExpiringKid(B, T0 + 1)]), "key_sets"),
        (state(A, verify=[(B, T0 - 1)]), "cut_off"),
        (KeyState(A, [A], [A], overlap_seconds=-1), "shape"),
        (KeyState(A, [A], [A], revoked_kids=["a b"]), "shape"),
    ],
)
def test_key_sets_that_do_not_fit_together_are_named(keys: KeyState, why: str) -> None:
    assert check(log_of([(T0, "boot", keys)])).why == why


def test_the_statement_key_changes_only_aloud() -> None:
    first = log_of([(T0, "boot", state(A))])[0]

    def second(reason: snap.Reason, kid: str) -> Entry:
        return snap.build(
            state(A),
            sequence=2,
            reason=reason,
            generated_at=T0,
            prev_entry_hash_b64u=first.entry_hash_b64u,
            token_key=KEYS[A],
            statement_key=STATEMENTS[kid],
            statement_kid=kid,
        )

    assert check([first, second("statement_kid_changed", S2)]).intact
    assert check([first, second("refresh", S2)]).why == "statement_key"
    assert check([first, second("statement_kid_changed", S)]).why == "statement_key"


def test_an_entry_without_an_active_key_is_signed_by_the_statement_key_alone() -> None:
    entry = log_of([(T0, "boot", state(None))])[0]
    assert (entry.signer_kid, entry.signature_b64u) == (None, None)
    assert check([entry]).intact
    with pytest.raises(ValueError, match="active"):
        snap.build(
            state(A),
            sequence=1,
            reason="boot",
            generated_at=T0,
            prev_entry_hash_b64u="",
            token_key=None,
            statement_key=STATEMENTS[S],
            statement_kid=S,
        )


def test_what_has_another_shape_is_no_entry() -> None:
    good = msgspec.to_builtins(log_of(LIFE)[0])
    junks: list[Any] = [None, [], {}, good | {"x": 1}, good | {"reason": "whim"}, good | {"generated_at": "now"}]
    for junk in junks:
        with pytest.raises(snap.NotAnEntry):
            snap.read(junk)
