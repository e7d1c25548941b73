"""Whatever happens in whatever order: never two active keys, never a revived kid, every live token's key accepted, the log intact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawscope.issuer.domain.key_moves import is_legal
from clawscope.issuer.domain.keyring import ACTIVE, PREPARED, PURPOSES, RETIRED, REVOKED, VERIFY_ONLY
from clawscope.kernel.errors import Refusal
from tests.unit.issuer.keys.conftest import ACTOR, RULES, House, configured, run

STATES = (PREPARED, ACTIVE, VERIFY_ONLY, RETIRED, REVOKED)
FAST = replace(RULES, rotate_every_s=5000)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["prepare", "rotate", "activate", "retire", "revoke", "schedule", "move", "issue", "restart", "snapshot"]),
        st.integers(0, 7),
        st.sampled_from(["token", "token", "statement"]),
    ),
    max_size=25,
)


def test_retired_and_revoked_are_for_ever() -> None:
    assert not any(is_legal(state, to) for state in (RETIRED, REVOKED) for to in STATES)


def test_nothing_becomes_unknown_and_only_a_published_key_becomes_active() -> None:
    assert [state for state in STATES if is_legal(state, ACTIVE)] == [PREPARED]


class Watcher:
    """Remembers what may never change again, and which tokens are alive."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ended: dict[str, str] = {}
        self.tokens: list[tuple[str, int]] = []
        self.signed_by: set[str] = set()

    def look(self) -> None:
        records = {record.kid: record for record in self.house.records()}
        for purpose in PURPOSES:
            assert sum(record.purpose == purpose and record.state == ACTIVE for record in records.values()) <= 1
        for kid, state in self.ended.items():
            assert records[kid].state == state
        self.ended |= {kid: record.state for kid, record in records.items() if record.state in (RETIRED, REVOKED)}
        now = self.house.clock.now()
        entries = self.house.keyring().key_set.entries
        for kid, exp in self.tokens:
            if exp > now and records[kid].state != REVOKED:
                assert entries[kid].accepted_at(now), "a live token lost its key"
        assert self.house.log_report().intact, self.house.log_report()

    def issue(self, ttl_s: int) -> None:
        kid, key = self.house.keyring().signer("token")
        shown = {listed for snapshot in self.house.snapshots() for listed in snapshot["accepted_kids"]}
        assert kid in shown, "a key signed that the log does not show"
        assert key.public == self.house.record(kid).public
        self.tokens.append(self.house.issue(ttl_s))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_no_sequence_of_moves_breaks_the_rules(steps: list[tuple[str, int, str]]) -> None:
    house = House(FAST)
    house.boot()
    watcher = Watcher(house)
    for name, number, purpose in steps:
        try:
            act(house, watcher, name, number, purpose)
        except Refusal as refusal:
            if refusal.code.status != 409:
                raise
        watcher.look()


def act(house: House, watcher: Watcher, name: str, number: int, purpose: str) -> None:
    kids = [record.kid for record in house.records()]
    kid = kids[number % len(kids)]
    deeds: dict[str, Any] = {
        "prepare": lambda: run(house.prepare(ACTOR, purpose, None, "r")),
        "rotate": lambda: run(house.rotate(ACTOR, purpose, "r")),
        "activate": lambda: run(house.activate(ACTOR, kid, "r")),
        "retire": lambda: run(house.retire(ACTOR, kid, "r")),
        "revoke": lambda: run(house.revoke(ACTOR, kid, "r")),
        "schedule": lambda: run(house.schedule()),
        "move": lambda: house.clock.move((number + 1) * 301),
        "issue": lambda: watcher.issue((number + 1) * 700),
        "restart": house.restart,
        "snapshot": lambda: run(house.history.snapshot()),
    }
    deeds[name]()


LISTED = st.lists(st.sampled_from(("a", "b", "c", "d")), min_size=1, max_size=3, unique=True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.booleans(),
    st.lists(st.tuples(LISTED, st.booleans(), st.integers(0, 900)), min_size=1, max_size=8),
)
def test_no_sequence_of_configurations_breaks_the_rules(allow: bool, steps: list[tuple[list[str], bool, int]]) -> None:
    house = House(replace(RULES, from_config=True, allow_unpublished=allow), configured("a", statement="s0"))
    house.boot()
    watcher = Watcher(house)
    statement = 0
    for signing, other_statement, seconds in steps:
        statement += other_statement
        if house.active() is not None:
            watcher.issue(600)
        house.clock.move(seconds)
        run(house.schedule())
        watcher.look()
        before = {record.kid for record in house.records() if record.state in (RETIRED, REVOKED)}
        house.restart(listed=configured(*signing, statement=f"s{statement}"))
        watcher.look()
        assert before <= set(watcher.ended)
