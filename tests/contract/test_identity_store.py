"""Identity's use cases on each database: one transaction per change, one winner per challenge."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import Any

from clawscope.identity.adapters.no_cut_offs import NoCutOffs
from clawscope.identity.adapters.store import identity_store
from clawscope.identity.adapters.tables import SEQUENCES
from clawscope.identity.domain.audit import first_fault
from clawscope.identity.domain.rules import Rules
from clawscope.identity.domain.wanted import Wanted
from clawscope.identity.ports import CutOffs
from clawscope.identity.usecases.bind_did import BindDid
from clawscope.identity.usecases.confirm_rotation import ConfirmRotation, Rotation
from clawscope.identity.usecases.expire_transfers import ExpireTransfers
from clawscope.identity.usecases.open_challenge import OpenChallenge
from clawscope.identity.usecases.open_control_challenge import OpenControlChallenge
from clawscope.identity.usecases.presenting import Signed
from clawscope.identity.usecases.read_identity import ReadIdentity
from clawscope.identity.usecases.register_agent import RegisterAgent
from clawscope.identity.usecases.register_controller import RegisterController
from clawscope.identity.usecases.revoke_binding import RevokeBinding
from clawscope.identity.usecases.transfer_controller import TransferController
from clawscope.infra.db.schema import sequences
from clawscope.infra.db.tx import Tx
from clawscope.kernel.clock import ManualClock
from clawscope.kernel.errors import Refusal
from clawscope.protocol import b64u, did
from clawscope.protocol.keys import SigningKey
from tests.contract.conftest import NOW, DatabaseUnderTest

RULES = Rules("did:web:id.example")
_seeds = itertools.count(10_000)


class BrokenCutOffs:
    """An issuer that cannot cut off."""

    def cut_off(self, transaction: Any, dimension: str, value: str, reason: str) -> None:
        """Fails always."""
        raise ZeroDivisionError("a fault nobody foresaw")


class Bench:
    """Identity on one database, and keys to sign with."""

    def __init__(self, database: Any, cut_offs: CutOffs | None = None) -> None:
        self.database = database
        self.clock = ManualClock(NOW)
        self.store = identity_store(database)
        self.cut_offs = cut_offs or NoCutOffs()
        self.keys: dict[str, SigningKey] = {}
        self.reads = ReadIdentity(self.store, self.clock)

    def add_sequences(self, tx: Tx) -> None:
        """Set identity's numbers to 0 where no migration did."""
        standing = {row.name for row in tx.rows(sequences.select())}
        for name in set(SEQUENCES) - standing:
            tx.add(sequences, {"name": name, "value": 0})

    def person(self) -> str:
        """A new did:key."""
        key = SigningKey.from_seed(next(_seeds).to_bytes(32, "big"))
        self.keys[did.did_key(key.public)] = key
        return did.did_key(key.public)

    def sign(self, who: str, challenge: dict[str, Any]) -> str:
        """A signature over a challenge."""
        return b64u.encode(self.keys[who].sign(challenge["message"].encode()))

    async def bind(self, *people: str) -> None:
        """Bind everybody."""
        for who in people:
            challenge = await OpenChallenge(self.store, self.clock, RULES)(who, "bind", "1")
            await BindDid(self.store, self.clock)(who, challenge["challenge_id"], self.sign(who, challenge))

    async def signed(self, owner: str, purpose: str, **members: Any) -> Signed:
        """A signed call over a fresh challenge."""
        challenge = await OpenControlChallenge(self.store, self.clock, RULES)(Wanted(owner, purpose, **members))
        return Signed(owner, challenge["challenge_id"], self.sign(owner, challenge))

    async def family(self) -> tuple[str, str, str]:
        """An owner, a controller, an agent."""
        await self.database.transact(self.add_sequences)
        owner, controller, agent = self.person(), self.person(), self.person()
        await self.bind(owner, controller, agent)
        signed = await self.signed(owner, "register_controller", controller_did=controller)
        await RegisterController(self.store, self.clock, self.cut_offs, RULES)(signed, controller, None)
        signed = await self.signed(owner, "register_agent", controller_did=controller, agent_did=agent)
        await RegisterAgent(self.store, self.clock, RULES)(signed, controller, agent)
        return owner, controller, agent

    async def faults(self) -> int | None:
        """Where the audit chain is broken."""
        rows = await self.store.read(lambda work: work.audit.page(None, 10_000, None, None))
        return first_fault(reversed(rows))


def test_rotation_and_transfer_carry_a_chain_along(database: DatabaseUnderTest) -> None:
    async def scenario(opened: Any) -> None:
        bench = Bench(opened)
        owner, first, agent = await bench.family()
        second, target = bench.person(), bench.person()
        await bench.bind(second, target)
        signed = await bench.signed(owner, "confirm_rotation", rotation_role="controller", from_did=first, to_did=second)
        await ConfirmRotation(bench.store, bench.clock, bench.cut_offs, RULES)(signed, Rotation("controller", first, second))
        transfer = TransferController(bench.store, bench.clock, bench.cut_offs, RULES)
        named = {"controller_did": first, "transfer_to_owner_did": target}
        await transfer.request(await bench.signed(owner, "transfer_controller_request", **named), first, target)
        await transfer.confirm(await bench.signed(target, "transfer_controller_confirm", **named), first, target)
        body = await bench.reads.chain(first, agent)
        assert (body["chain"]["controller_did"], body["chain"]["owner_did"], body["chain"]["active"]) == (second, target, True)
        assert (await bench.reads.agents(second, 10, None))["list_complete"] is True
        assert await bench.faults() is None

    database.run(scenario)


def test_of_parallel_uses_of_one_challenge_one_succeeds(database: DatabaseUnderTest) -> None:
    async def scenario(opened: Any) -> None:
        bench = Bench(opened)
        await opened.transact(bench.add_sequences)
        who = bench.person()
        challenge = await OpenChallenge(bench.store, bench.clock, RULES)(who, "bind", "1")
        bind, signature = BindDid(bench.store, bench.clock), bench.sign(who, challenge)
        calls = [bind(who, challenge["challenge_id"], signature) for _ in range(100)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(one, dict) for one in answers].count(True) == 1
        refusals = {one.code.name for one in answers if isinstance(one, Refusal)}
        assert refusals == {"CHALLENGE_NOT_FOUND"}
        assert await bench.faults() is None

    database.run(scenario)


def test_a_cut_off_that_fails_leaves_nothing_half_done(database: DatabaseUnderTest) -> None:
    async def scenario(opened: Any) -> None:
        bench = Bench(opened)
        owner, controller, agent = await bench.family()
        challenge = await OpenChallenge(bench.store, bench.clock, RULES)(owner, "revoke", "1")
        called = (owner, challenge["challenge_id"], bench.sign(owner, challenge), None)
        failed = await asyncio.gather(RevokeBinding(bench.store, bench.clock, BrokenCutOffs())(*called), return_exceptions=True)
        assert isinstance(failed[0], ZeroDivisionError)
        assert (await bench.reads.chain(controller, agent))["chain"]["active"] is True
        revoked = await RevokeBinding(bench.store, bench.clock, NoCutOffs())(*called)
        assert (revoked["status"], revoked["chains_inactive"]) == ("revoked", 1)
        assert (await bench.reads.chain(controller, agent))["chain"]["inactive_reasons"] == ["owner_binding_inactive"]

    database.run(scenario)


def test_the_job_records_transfers_that_ran_out_and_forgets_old_challenges(database: DatabaseUnderTest) -> None:
    async def scenario(opened: Any) -> None:
        bench = Bench(opened)
        owner, controller, _ = await bench.family()
        target = bench.person()
        await bench.bind(target)
        named = {"controller_did": controller, "transfer_to_owner_did": target}
        signed = await bench.signed(owner, "transfer_controller_request", **named)
        short = replace(RULES, transfer_ttl_s=10)
        await TransferController(bench.store, bench.clock, bench.cut_offs, short).request(signed, controller, target)
        expire = ExpireTransfers(bench.store, bench.clock)
        assert await expire() == 0
        bench.clock.move(11)
        assert await expire() == 1
        assert await expire() == 0
        assert (await bench.reads.controller(controller))["transfer_state"] == "active"
        await bench.signed(owner, "deactivate_controller", controller_did=controller)
        bench.clock.move(4201)
        assert await bench.store.transact(lambda work: work.challenges.expire(bench.clock.now() - 3600)) == 1
        assert await bench.faults() is None

    database.run(scenario)
