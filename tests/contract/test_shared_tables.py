"""Outbox and relay, job leases and kept answers on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clawscope.infra.db.database import Database
from clawscope.infra.db.kept_answers import KeptAnswer, KeptAnswers, KeyPlace
from clawscope.infra.db.leases import take_lease
from clawscope.infra.db.open import open_database
from clawscope.infra.db.outbox import Outbox, Relay
from clawscope.infra.db.tx import Tx
from clawscope.issuer.adapters.store import issuer_store
from clawscope.issuer.domain.caller import AnswerKey
from clawscope.kernel.clock import ManualClock
from clawscope.kernel.errors import Refusal
from clawscope.kernel.events import Event
from tests.contract.conftest import NOW, DatabaseUnderTest

PLACE = KeyPlace("op", "POST /v1/tokens/issue", "key-1")


def event(number: int) -> Event:
    """An event with a body of its own."""
    return Event(f"evt_{number}", "issuer.token_issued.v1", NOW + number, {"number": number, "text": "ä\u2028"})


class Heard:
    """A handler that keeps what it got and fails when told to."""

    def __init__(self, fails_at: str | None = None) -> None:
        self.events: list[Event] = []
        self.fails_at = fails_at

    async def __call__(self, one: Event) -> None:
        """Take an event."""
        if one.event_id == self.fails_at:
            self.fails_at = None
            raise LookupError(one.event_id)
        self.events.append(one)

    @property
    def ids(self) -> list[str]:
        """What it heard."""
        return [one.event_id for one in self.events]


async def fill(store: Database, numbers: range) -> None:
    """Put events, each in a transaction of its own, all at once."""
    await asyncio.gather(*(store.transact(lambda tx, number=number: Outbox(tx).put(event(number))) for number in numbers))


def test_events_are_delivered_in_order_once_while_nothing_fails(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        one, other = Heard(), Heard()
        relay = Relay(store, {"one": one, "other": other})
        await fill(store, range(1, 31))
        assert await relay.run_once() == 60
        assert one.events == other.events == [event(number) for number in range(1, 31)]
        assert await relay.run_once() == 0
        await fill(store, range(31, 33))
        assert await relay.run_once() == 4
        assert one.ids[-2:] == ["evt_31", "evt_32"]

    database.run(scenario)


def test_a_handler_that_fails_gets_its_events_again_and_holds_up_only_itself(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        good, bad = Heard(), Heard(fails_at="evt_3")
        await fill(store, range(1, 6))
        relay = Relay(store, {"good": good, "bad": bad})
        with pytest.raises(LookupError):
            await relay.run_once()
        assert good.ids == [f"evt_{number}" for number in range(1, 6)]
        await relay.run_once()
        assert bad.ids[-5:] == good.ids
        assert set(bad.ids) == set(good.ids)
        assert len(good.ids) == 5

    database.run(scenario)


def test_a_new_process_goes_on_where_the_last_one_was(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        await fill(store, range(1, 4))
        await Relay(store, {"one": Heard()}).run_once()
        await fill(store, range(4, 6))
        again = Heard()
        await Relay(store, {"one": again}).run_once()
        assert again.ids == ["evt_4", "evt_5"]

    database.run(scenario)


def test_an_event_of_a_transaction_that_failed_is_heard_by_nobody(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        def fail(tx: Tx) -> None:
            Outbox(tx).put(event(9))
            raise LookupError

        await asyncio.gather(store.transact(fail), fill(store, range(1, 3)), return_exceptions=True)
        heard = Heard()
        await Relay(store, {"one": heard}).run_once()
        assert sorted(heard.ids) == ["evt_1", "evt_2"]

    database.run(scenario)


def test_only_delivered_old_events_are_trimmed(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        slow = Heard()
        await fill(store, range(1, 6))
        relay = Relay(store, {"one": slow})
        assert await relay.trim(NOW + 100) == 0
        await relay.run_once()
        assert await relay.trim(NOW + 3) == 2
        late = Heard()
        await Relay(store, {"late": late}).run_once()
        assert late.ids == ["evt_3", "evt_4", "evt_5"]

    database.run(scenario)


def test_positions_of_two_processes_have_no_gap(database: DatabaseUnderTest) -> None:
    async def scenario(first: Database) -> None:
        second = open_database(database.url)
        try:
            await asyncio.gather(fill(first, range(1, 41)), fill(second, range(41, 81)))
        finally:
            await second.close()
        heard = Heard()
        await Relay(first, {"one": heard}).run_once()
        assert sorted(int(name[4:]) for name in heard.ids) == list(range(1, 81))
        assert await first.read(lambda tx: tx.head("outbox")) == 80

    database.run(scenario)


def test_a_lease_is_held_by_one_until_it_ends(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        async def take(holder: str, now: int, name: str = "job") -> bool:
            return bool(await store.transact(lambda tx: take_lease(tx, name, holder, now, 10)))

        assert await take("a", NOW)
        assert not await take("b", NOW + 9)
        assert await take("a", NOW + 9)
        assert not await take("b", NOW + 18)
        assert await take("b", NOW + 19)
        assert not await take("a", NOW + 20)
        assert await take("a", NOW + 20, "another")

    database.run(scenario)


def test_of_many_processes_that_want_a_lease_one_gets_it(database: DatabaseUnderTest) -> None:
    async def scenario(first: Database) -> None:
        second = open_database(database.url)

        async def take(holder: int, now: int) -> bool:
            store = (first, second)[holder % 2]
            try:
                return bool(await store.transact(lambda tx: take_lease(tx, "job", str(holder), now, 10)))
            except Refusal:
                return False  # whoever was second at the very first taking changed nothing

        try:
            for now in (NOW, NOW + 10, NOW + 20):
                assert (await asyncio.gather(*(take(holder, now) for holder in range(10)))).count(True) == 1
        finally:
            await second.close()

    database.run(scenario)


def test_a_kept_answer_goes_from_running_to_done_and_away(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        async def found() -> KeptAnswer | None:
            return await store.read(lambda tx: KeptAnswers(tx).find(PLACE))

        assert await found() is None
        await store.transact(lambda tx: KeptAnswers(tx).reserve(PLACE, "h" * 64, NOW + 120))
        assert await found() == KeptAnswer("h" * 64, True, 0, "", NOW + 120)
        await store.transact(lambda tx: KeptAnswers(tx).settle(PLACE, 201, '{"a":1}', NOW + 60))
        assert await found() == KeptAnswer("h" * 64, False, 201, '{"a":1}', NOW + 60)
        await store.transact(lambda tx: KeptAnswers(tx).drop(PLACE, only_running=True))
        assert await found() is not None
        assert await store.transact(lambda tx: KeptAnswers(tx).expire(NOW + 59)) == 0
        assert await store.transact(lambda tx: KeptAnswers(tx).expire(NOW + 60)) == 1
        assert await found() is None

    database.run(scenario)


def test_of_many_requests_with_one_key_one_runs(database: DatabaseUnderTest) -> None:
    async def scenario(first: Database) -> None:
        second = open_database(database.url)

        def reserve(tx: Tx) -> bool:
            if KeptAnswers(tx).find(PLACE) is not None:
                return False
            KeptAnswers(tx).reserve(PLACE, "h" * 64, NOW + 120)
            return True

        try:
            tries = [(first, second)[turn % 2].transact(reserve) for turn in range(20)]
            assert (await asyncio.gather(*tries, return_exceptions=True)).count(True) == 1
        finally:
            await second.close()

    database.run(scenario)


def test_the_work_and_its_answer_are_one_transaction(database: DatabaseUnderTest) -> None:
    async def scenario(store: Database) -> None:
        work_store = issuer_store(store, ManualClock(NOW), 60, lambda: None)
        key = AnswerKey(PLACE.caller, PLACE.route, PLACE.key, "h" * 64)
        await store.transact(lambda tx: KeptAnswers(tx).reserve(PLACE, "h" * 64, NOW + 120))

        def half(work: Any) -> None:
            work.answers.keep(key, 200, {"token_hash": "x"})
            raise LookupError

        with pytest.raises(LookupError):
            await work_store.transact(half)
        assert (await store.read(lambda tx: KeptAnswers(tx).find(PLACE))).running
        await work_store.transact(lambda work: work.answers.keep(key, 200, {"token_hash": "x"}))
        kept = await store.read(lambda tx: KeptAnswers(tx).find(PLACE))
        assert kept == KeptAnswer("h" * 64, False, 200, '{"token_hash":"x"}', NOW + 60)

    database.run(scenario)
