"""Several processes moving keys on one database: one wins, the log stays whole (keys.md §1, §6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from clawscope.infra.db.database import Database
from clawscope.infra.db.open import open_database
from clawscope.infra.keys import MasterKey
from clawscope.issuer.adapters.keyring_loader import SeedVault
from clawscope.issuer.adapters.store import issuer_store
from clawscope.issuer.domain.configured_keys import ConfiguredKeys
from clawscope.issuer.domain.key_documents import key_view
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.usecases.keys.activate_key import ActivateKey
from clawscope.issuer.usecases.keys.boot_keys import BootKeys
from clawscope.issuer.usecases.keys.prepare_key import PrepareKey
from clawscope.issuer.usecases.keys.revoke_key import RevokeKey
from clawscope.issuer.usecases.keys.rotate_key import RotateKey
from clawscope.issuer.usecases.keys.verify_log import verify_log
from clawscope.kernel.clock import ManualClock
from clawscope.kernel.errors import Refusal
from tests.contract.conftest import NOW, DatabaseUnderTest

RULES = KeyRules()
ACTOR = "operator:ana"


class Process:
    """One issuer process, as far as keys go."""

    def __init__(self, database: Database) -> None:
        self.clock = ManualClock(NOW)
        self.store = issuer_store(database, self.clock, 60, lambda: None)
        parts = (self.store, self.clock, SeedVault(MasterKey(b"m" * 32), ConfiguredKeys(), "rfc7638"), RULES)
        self.boot, self.prepare, self.rotate = BootKeys(*parts), PrepareKey(*parts), RotateKey(*parts)
        self.activate = ActivateKey(*parts, None)
        self.revoke = RevokeKey(*parts, effective_within_s=2)

    async def states(self) -> dict[str, str]:
        """The state of every token key."""
        records = await self.store.read(lambda work: work.keys.all())
        return {record.kid: record.state for record in records if record.purpose == "token"}

    async def check(self) -> None:
        """The log holds, and one key is active."""
        snapshots = await self.store.read(lambda work: work.snapshots.page(None, 0, 1000))
        records = await self.store.read(lambda work: work.keys.all())
        report = verify_log(snapshots, [key_view(record) for record in records], publish_delay_s=RULES.publish_delay_s)
        assert report.intact, report
        assert list((await self.states()).values()).count("active") == 1


def with_two(database: DatabaseUnderTest, scenario: Callable[[Process, Process], Awaitable[None]]) -> None:
    async def main(first: Database) -> None:
        second = open_database(database.url)
        try:
            await scenario(Process(first), Process(second))
        finally:
            await second.close()

    database.run(main)


async def outcomes(attempts: list[Awaitable[Any]]) -> list[str]:
    """`done`, or the code of the refusal."""
    found = await asyncio.gather(*attempts, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, Refusal):
            raise one
    return sorted(one.code.name if isinstance(one, Refusal) else "done" for one in found)


def test_two_first_starts_make_one_key_set(database: DatabaseUnderTest) -> None:
    async def scenario(one: Process, other: Process) -> None:
        await asyncio.gather(one.boot(), other.boot(), one.boot(), other.boot())
        assert await one.store.read(lambda work: work.snapshots.head()) == 1
        await other.check()

    with_two(database, scenario)


def test_of_many_rotations_one_begins(database: DatabaseUnderTest) -> None:
    async def scenario(one: Process, other: Process) -> None:
        await one.boot()
        attempts = [process.rotate(ACTOR, "token", "r") for process in (one, other) * 3]
        assert await outcomes(attempts) == ["KEY_ROTATION_IN_PROGRESS"] * 5 + ["done"]
        await one.check()

    with_two(database, scenario)


def test_of_many_activations_one_wins_and_the_others_are_told(database: DatabaseUnderTest) -> None:
    async def scenario(one: Process, other: Process) -> None:
        await one.boot()
        kids = [(await one.prepare(ACTOR, "token", None, "r")).kid for _ in range(2)]
        for process in (one, other):
            process.clock.move(RULES.publish_delay_s)
        same = [process.activate(ACTOR, kids[0], "r") for process in (one, other) * 3]
        assert await outcomes(same) == ["KEY_STATE_CONFLICT"] * 5 + ["done"]
        await one.check()
        await outcomes([one.activate(ACTOR, kids[1], "r"), other.revoke(ACTOR, kids[0], "stolen")])
        await other.check()
        assert (await one.states())[kids[0]] == "revoked"

    with_two(database, scenario)


def test_parallel_revocations_say_revoked_once(database: DatabaseUnderTest) -> None:
    async def scenario(one: Process, other: Process) -> None:
        await one.boot()
        kid = next(iter(await one.states()))
        answers = await asyncio.gather(*(process.revoke(ACTOR, kid, "stolen") for process in (one, other) * 3))
        assert sorted(answer.status for answer in answers) == ["already_revoked"] * 5 + ["revoked"]
        assert {answer.sequence for answer in answers} == {1}
        await one.check()

    with_two(database, scenario)
