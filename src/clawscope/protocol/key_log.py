"""Following the key log from entry to entry: links, signatures, time, and only legal moves of keys (keys.md §1, §3, §6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clawscope.protocol.key_snapshot import FIRST_PREVIOUS, Entry, entry_problem

ACTIVE, PREPARED, VERIFY_ONLY, RETIRED, REVOKED = "active", "prepared", "verify_only", "retired", "revoked"

_LEGAL: Mapping[str | None, frozenset[str]] = {
    None: frozenset((ACTIVE, PREPARED, VERIFY_ONLY)),
    PREPARED: frozenset((PREPARED, ACTIVE, VERIFY_ONLY, RETIRED, REVOKED)),
    ACTIVE: frozenset((ACTIVE, VERIFY_ONLY, REVOKED)),
    VERIFY_ONLY: frozenset((VERIFY_ONLY, RETIRED, REVOKED)),
    RETIRED: frozenset((RETIRED,)),
    REVOKED: frozenset((REVOKED,)),
}
# An emergency may activate a key before its delay; like a waiver, the entry says so.
_WAIVING = ("delay_waived", "revoked")


@dataclass(frozen=True, slots=True)
class LogReport:
    """How far the log holds: entries checked, the last good sequence and its hash, and the first break, if any.

    `why` is one of `sequence link time shape snapshot_hash entry_hash signature entry_signature key_sets move delay cut_off
    statement_key`; `kid` names the key of an illegal move.
    """

    checked: int
    last_sequence: int | None
    last_hash: str | None
    broken_at: int | None = None
    why: str | None = None
    kid: str | None = None

    @property
    def intact(self) -> bool:
        """Whether no break was found."""
        return self.broken_at is None


@dataclass(slots=True)
class _History:
    last: Entry | None = None
    states: dict[str, str] = field(default_factory=dict)
    published_at: dict[str, int] = field(default_factory=dict)
    ever_active: bool = False


def verify_chain(
    entries: Iterable[Entry],
    *,
    token_keys: Mapping[str, bytes],
    statement_keys: Mapping[str, bytes],
    publish_delay_s: int,
    trusted: Entry | None = None,
) -> LogReport:
    """Check entries in ascending order and name the first break; `trusted` is the entry before them, if not the beginning.

    1. sequence, link and time follow the entry before. 2. the entry by itself: shape, hashes, signatures. 3. its key sets fit
    together, with one active key. 4. every key moved legally, after its publish delay or with a waiver. 5. the statement key.
    """
    history = _History()
    if trusted is not None:
        _remember(history, trusted)
    checked = 0
    for entry in entries:
        fault = (
            (_link_problem(history.last, entry), None)  # 1
            if _link_problem(history.last, entry)
            else _fault(history, entry, token_keys, statement_keys, publish_delay_s)
        )
        if fault[0] is not None:
            last = history.last
            sequence, digest = (last.sequence, last.entry_hash_b64u) if last else (None, None)
            return LogReport(checked, sequence, digest, entry.sequence, fault[0], fault[1])
        _remember(history, entry)
        checked += 1
    last = history.last
    return LogReport(checked, last.sequence if last else None, last.entry_hash_b64u if last else None)


def key_states(entry: Entry) -> dict[str, str]:
    """The state of every key the entry names; a key standing by counts as prepared."""
    states = dict.fromkeys(entry.revoked_kids, REVOKED)
    states |= dict.fromkeys(entry.accepted_kids, PREPARED)
    states |= dict.fromkeys(entry.verify_only_kids, VERIFY_ONLY)
    if entry.active_kid is not None:
        states[entry.active_kid] = ACTIVE
    return states


def _fault(
    history: _History, entry: Entry, token_keys: Mapping[str, bytes], statement_keys: Mapping[str, bytes], publish_delay_s: int
) -> tuple[str | None, str | None]:
    problem = entry_problem(entry, token_keys, statement_keys) or _set_problem(entry)  # 2, 3
    if problem is not None:
        return problem, None
    known = dict.fromkeys((kid for kid, state in history.states.items() if state != RETIRED), RETIRED)
    for kid, state in (known | key_states(entry)).items():  # 4
        problem = _move_problem(history, entry, kid, state, publish_delay_s)
        if problem is not None:
            return problem, kid
    last = history.last
    changed = last is not None and last.statement_kid != entry.statement_kid
    if changed != (entry.reason == "statement_kid_changed"):  # 5
        return "statement_key", entry.statement_kid
    return None, None


def _link_problem(last: Entry | None, entry: Entry) -> str | None:
    if entry.sequence != (last.sequence + 1 if last else 1):
        return "sequence"
    if entry.prev_entry_hash_b64u != (last.entry_hash_b64u if last else FIRST_PREVIOUS):
        return "link"
    if last is not None and entry.generated_at < last.generated_at:
        return "time"
    return None


def _set_problem(entry: Entry) -> str | None:
    accepted, signing, verifying = set(entry.accepted_kids), set(entry.signing_kids), set(entry.verify_only_kids)
    prepared, revoked = {one.kid for one in entry.prepared_kids}, set(entry.revoked_kids)
    active = {entry.active_kid} - {None}
    fits = (
        len(accepted) == len(entry.accepted_kids)
        and active <= signing
        and accepted == signing | verifying | prepared
        and not verifying & (signing | prepared)
        and not active & prepared
        and not accepted & revoked
        and {one.kid for one in entry.expiring_kids} <= verifying
    )
    if not fits:
        return "key_sets"
    return "cut_off" if any(one.not_after_unix < entry.generated_at for one in entry.expiring_kids) else None


def _move_problem(history: _History, entry: Entry, kid: str, state: str, publish_delay_s: int) -> str | None:
    before = history.states.get(kid)
    legal = state in _LEGAL[before] or (before is None and state == REVOKED and history.last is None)
    # From a configuration a key may stand by again, and a start may find that keys left while nothing ran.
    legal = legal or (before == ACTIVE and state == PREPARED and kid in entry.signing_kids)
    legal = legal or (before == ACTIVE and state == RETIRED and entry.reason == "boot")
    if not legal:
        return "move"
    if before == VERIFY_ONLY and state == RETIRED and entry.reason != "boot" and not _past_cut_off(history.last, entry, kid):
        return "cut_off"
    if state == ACTIVE and before != ACTIVE and history.ever_active and entry.reason not in _WAIVING:
        published = history.published_at.get(kid, entry.generated_at)
        return "delay" if entry.generated_at < published + publish_delay_s else None
    return None


def _past_cut_off(last: Entry | None, entry: Entry, kid: str) -> bool:
    return last is not None and any(one.kid == kid and one.not_after_unix < entry.generated_at for one in last.expiring_kids)


def _remember(history: _History, entry: Entry) -> None:
    states = key_states(entry)
    trusted = history.last is None and entry.sequence > 1
    for kid in history.states.keys() - states.keys():
        states[kid] = RETIRED
    for kid in entry.accepted_kids:
        # What a trusted entry already lists as standing by was published before it; what it lists as prepared says until when.
        history.published_at.setdefault(kid, 0 if trusted else entry.generated_at)
    history.states = states
    history.ever_active = history.ever_active or entry.active_kid is not None
    history.last = entry
