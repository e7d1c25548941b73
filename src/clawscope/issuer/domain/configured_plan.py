"""What a configuration means for the key rows: new keys, changed cut-offs, keys that left, and who signs (keys.md §2, §3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from clawscope.issuer.domain.configured_keys import ConfiguredKeys, ListedPublic, ListedSeed
from clawscope.issuer.domain.key_moves import LatestExp, Move
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import ACTIVE, PREPARED, RETIRED, VERIFY_ONLY, KeyRecord

CONFIG, VERIFY_LIST = "config", "verify_list"


@dataclass(slots=True)
class ConfiguredPlan:
    """Moves towards the configuration, in the order they are made.

    `added` are keys seen for the first time; `changed` rows only get other columns; `early` are retirements before their cut-off.
    """

    added: list[KeyRecord] = field(default_factory=list)
    changed: list[tuple[KeyRecord, dict[str, Any]]] = field(default_factory=list)
    steps_back: list[Move] = field(default_factory=list)
    activation: Move | None = None
    retirements: list[Move] = field(default_factory=list)
    early: list[Move] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def is_any(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.added or self.changed or self.steps_back or self.activation or self.retirements or self.early)


def mismatches(records: Iterable[KeyRecord], listed: ConfiguredKeys) -> list[str]:
    """Listed entries that contradict what is known of their kid or key; a statement key that has ended is one of them."""
    by_kid = {record.kid: record for record in records}
    by_public = {record.public: record for record in by_kid.values()}
    named = [(one.kid, one.key.public, "token") for one in listed.signing] + [(one.kid, one.public, "token") for one in listed.verify]
    if listed.statement is not None:
        named.append((listed.statement.kid, listed.statement.key.public, "statement"))
    faults = []
    for kid, public, purpose in named:
        same_kid, same_key = by_kid.get(kid), by_public.get(public)
        if same_kid is not None and same_kid.public != public:
            faults.append(f"kid {kid} named another key before; a kid never names a second key")
        elif same_key is not None and same_key.kid != kid:
            faults.append(f"the key listed as kid {kid} was known as kid {same_key.kid} before; keep that kid")
        elif same_key is not None and same_key.purpose != purpose:
            faults.append(f"the key of kid {kid} is a {same_key.purpose} key; a key has one purpose for ever")
        elif same_key is not None and purpose == "statement" and same_key.state not in (ACTIVE, PREPARED):
            # Without it nothing could be appended to the key log, so this is not a mere warning.
            faults.append(f"statement kid {kid} is {same_key.state} and never comes back; give a new seed")
    return faults


def plan_tokens(records: list[KeyRecord], listed: ConfiguredKeys, now: int, rules: KeyRules, latest_exp: LatestExp) -> ConfiguredPlan:
    """The plan for token keys. Retired and revoked kids stay what they are, whatever is listed."""
    plan = ConfiguredPlan()
    known = {record.kid: record for record in records if record.purpose == "token"}
    candidates = _candidates(plan, known, listed.signing, now, rules)
    chosen = _chosen(candidates, now, rules, first_ever=not any(record.activated_at for record in known.values()))
    active = next((record for record in known.values() if record.state == ACTIVE), None)
    for entry in listed.verify:
        _verify_only(plan, known.get(entry.kid), entry, now, rules, latest_exp)
    publics = {one.kid for one in listed.verify}
    for record in known.values():
        if record.kid not in publics and not any(one.kid == record.kid for one in listed.signing):
            _left(plan, record, now, rules, latest_exp)
    if chosen is None and candidates:
        plan.warnings.append("no listed key has been published long enough; nothing is issued until the first one has")
    if chosen is not None and chosen.state != ACTIVE:
        if active is not None and any(one.kid == active.kid for one in candidates):
            plan.steps_back.append(Move(active.kid, "token", ACTIVE, PREPARED, now))
        early = now < chosen.activatable_at
        plan.activation = Move(
            chosen.kid, "token", PREPARED, ACTIVE, now, delay_waived=early and any(record.activated_at for record in known.values())
        )
        if plan.activation.delay_waived:
            plan.warnings.append(f"kid {chosen.kid} signs before readers could know it (delay_waived)")
    return plan


def plan_statement(records: list[KeyRecord], listed: ListedSeed, now: int, rules: KeyRules) -> ConfiguredPlan:
    """The plan for the statement key: the listed one signs at once, a former one is kept for what it has signed."""
    plan = ConfiguredPlan()
    known = {record.kid: record for record in records if record.purpose == "statement"}
    record = known.get(listed.kid)
    if record is not None and record.state == ACTIVE:
        return plan
    if record is None:
        record = _new(listed.kid, listed.key.public, "statement", 0, now, rules)
        plan.added.append(record)
    active = next((one for one in known.values() if one.state == ACTIVE), None)
    if active is not None:
        plan.steps_back.append(Move(active.kid, "statement", ACTIVE, VERIFY_ONLY, now, rules.cut_off(now, None)))
    plan.activation = Move(record.kid, "statement", PREPARED, ACTIVE, now, delay_waived=active is not None)
    return plan


def _candidates(
    plan: ConfiguredPlan, known: dict[str, KeyRecord], signing: Iterable[ListedSeed], now: int, rules: KeyRules
) -> list[KeyRecord]:
    found = []
    for position, entry in enumerate(signing):
        record = known.get(entry.kid)
        waits = position == 0 and not rules.allow_unpublished
        if record is None:
            record = replace(_new(entry.kid, entry.key.public, "token", position, now, rules), auto_activate=waits)
            plan.added.append(record)
        elif record.state not in (ACTIVE, PREPARED):
            plan.warnings.append(f"kid {entry.kid} is {record.state} and never comes back; remove it from the signing keys")
            continue
        else:
            changes: dict[str, Any] = {"position": position, "source": CONFIG, "auto_activate": waits and record.state == PREPARED}
            if any(getattr(record, name) != value for name, value in changes.items()):
                plan.changed.append((record, changes))
        found.append(record)
    return found


def _chosen(candidates: list[KeyRecord], now: int, rules: KeyRules, *, first_ever: bool) -> KeyRecord | None:
    """Who signs: the first listed, if it may; else the one that does; else the first that has waited enough."""
    if not candidates:
        return None
    first = candidates[0]
    if first_ever or rules.allow_unpublished or first.state == ACTIVE or now >= first.activatable_at:
        return first
    active = next((record for record in candidates if record.state == ACTIVE), None)
    return active or next((record for record in candidates if now >= record.activatable_at), None)


def _verify_only(
    plan: ConfiguredPlan, record: KeyRecord | None, entry: ListedPublic, now: int, rules: KeyRules, latest_exp: LatestExp
) -> None:
    if record is None:
        state = VERIFY_ONLY if now <= entry.not_after_unix else RETIRED
        made = _new(entry.kid, entry.public, "token", 0, now, rules)
        plan.added.append(
            replace(made, state=state, source=VERIFY_LIST, not_after_unix=entry.not_after_unix, reason=entry.source_label or made.reason)
        )
        return
    if record.state not in (ACTIVE, PREPARED, VERIFY_ONLY):
        if now <= entry.not_after_unix:
            plan.warnings.append(f"kid {entry.kid} is {record.state} and stays so, whatever its cut-off says")
        return
    last = latest_exp(entry.kid)
    if last is not None and max(last, now) > entry.not_after_unix and last > now:
        plan.warnings.append(f"the cut-off {entry.not_after_unix} of kid {entry.kid} cuts live tokens: the last one ends at {last}")
    if record.state != VERIFY_ONLY:
        plan.steps_back.append(Move(entry.kid, "token", record.state, VERIFY_ONLY, now, entry.not_after_unix))
        plan.changed.append((record, {"source": VERIFY_LIST}))
    elif record.not_after_unix != entry.not_after_unix or record.source != VERIFY_LIST:
        plan.changed.append((record, {"not_after_unix": entry.not_after_unix, "source": VERIFY_LIST}))


def _left(plan: ConfiguredPlan, record: KeyRecord, now: int, rules: KeyRules, latest_exp: LatestExp) -> None:
    """A key no longer listed: one that signed lives out its tokens, a listed public key goes with its entry."""
    if record.state == ACTIVE or (record.state == PREPARED and latest_exp(record.kid) is not None):
        cut_off = rules.cut_off(now, latest_exp(record.kid))
        plan.steps_back.append(Move(record.kid, "token", record.state, VERIFY_ONLY, now, cut_off))
        plan.warnings.append(f"kid {record.kid} is no longer listed; it is accepted until {cut_off} for the tokens it signed")
    elif record.state == PREPARED:
        plan.retirements.append(Move(record.kid, "token", PREPARED, RETIRED, now))
    elif record.state == VERIFY_ONLY and record.source == VERIFY_LIST:
        past = record.not_after_unix is not None and now > record.not_after_unix
        (plan.retirements if past else plan.early).append(Move(record.kid, "token", VERIFY_ONLY, RETIRED, now, record.not_after_unix))
        last = latest_exp(record.kid)
        if last is not None and last > now:
            plan.warnings.append(f"kid {record.kid} was dropped before its last token ended at {last}: those tokens are refused")


def _new(kid: str, public: bytes, purpose: str, position: int, now: int, rules: KeyRules) -> KeyRecord:
    return KeyRecord(
        kid=kid,
        purpose=purpose,
        state=PREPARED,
        public=public,
        source=CONFIG,
        position=position,
        sealed=None,
        created_at=now,
        published_at=now,
        activatable_at=now + rules.publish_delay_s,
        activated_at=None,
        not_after_unix=None,
        delay_waived=False,
        auto_activate=False,
        reason="listed in the configuration",
    )
