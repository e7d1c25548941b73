"""A key department in memory: store, clock, vault, every use case, and the log check that must always hold."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from clawscope.infra.keys import MasterKey
from clawscope.issuer.adapters.keyring_loader import KeyringLoader, SeedVault
from clawscope.issuer.domain.configured_keys import ConfiguredKeys, parse
from clawscope.issuer.domain.key_documents import key_view
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import KeyRecord, Keyring
from clawscope.issuer.usecases.keys.acknowledge import Acknowledge
from clawscope.issuer.usecases.keys.activate_key import ActivateKey
from clawscope.issuer.usecases.keys.boot_keys import BootKeys
from clawscope.issuer.usecases.keys.follow_configuration import Followed
from clawscope.issuer.usecases.keys.import_verify_key import ImportVerifyKey
from clawscope.issuer.usecases.keys.prepare_key import PrepareKey
from clawscope.issuer.usecases.keys.read_history import ReadHistory
from clawscope.issuer.usecases.keys.read_keys import ReadKeys
from clawscope.issuer.usecases.keys.report_slo import ReportSlo
from clawscope.issuer.usecases.keys.retire_key import RetireKey
from clawscope.issuer.usecases.keys.revoke_key import RevokeKey
from clawscope.issuer.usecases.keys.rotate_key import RotateKey
from clawscope.issuer.usecases.keys.run_scheduled_moves import RunScheduledMoves
from clawscope.issuer.usecases.keys.verify_log import verify_log
from clawscope.kernel.clock import ManualClock
from clawscope.kernel.errors import Refusal
from clawscope.protocol import b64u
from clawscope.protocol.key_log import LogReport
from clawscope.protocol.revocation import RevocationView
from tests.fakes.memory_keys import MemoryStore

RULES = KeyRules()
ACTOR = "operator:ana"
Auditor = Callable[["House"], None]


def seed(name: str) -> str:
    """A seed anybody can make again, as base64url."""
    return b64u.encode(hashlib.sha256(name.encode()).digest())


def configured(*signing: str, verify: str | None = None, statement: str = "statement", signing_json: str | None = None) -> ConfiguredKeys:
    """Configured keys from seed names."""
    listed = "[" + ",".join(f'"{seed(name)}"' for name in signing) + "]" if signing else None
    return parse(
        signing_key=None,
        signing_keys_json=signing_json or listed,
        verify_public_keys_json=verify,
        statement_key=seed(statement),
        kid_rule="rfc7638",
    )


class MemoryView:
    """The newest key set, read from the store each time."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.revocations = RevocationView()
        self.keyring = Keyring(-1, [], {})

    @property
    def known(self) -> MemoryView:
        return self

    async def fresh(self) -> MemoryView:
        head = await self._house.store.read(lambda work: work.snapshots.head())
        if head != self.keyring.sequence:
            self.keyring = await self._house.store.read(KeyringLoader(self._house.vault))
        return self


class House:
    """Everything about keys on one memory store."""

    def __init__(self, rules: KeyRules = RULES, listed: ConfiguredKeys | None = None, log: Any = None) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.log = log
        self.start(rules, listed)

    def start(self, rules: KeyRules | None = None, listed: ConfiguredKeys | None = None) -> None:
        """A process on this store, with these rules and configured keys."""
        self.rules = rules or self.rules
        if listed is not None:
            self.rules = replace(self.rules, from_config=True)
        self.vault = SeedVault(MasterKey(b"m" * 32), listed or ConfiguredKeys(), "rfc7638")
        parts = (self.store, self.clock, self.vault, self.rules)
        self.prepare, self.rotate, self.retire = PrepareKey(*parts), RotateKey(*parts), RetireKey(*parts)
        self.activate = ActivateKey(*parts, self.log)
        self.revoke = RevokeKey(*parts, effective_within_s=2)
        self.import_verify = ImportVerifyKey(*parts)
        self.schedule = RunScheduledMoves(*parts, self.activate, self.rotate)
        self.boot_keys = BootKeys(*parts)
        self.view = MemoryView(self)
        self.documents = ReadKeys(self.view, self.clock, self.rules, "did:web:issuer.example")
        self.history = ReadHistory(self.store, self.view, self.clock, self.vault, self.rules)
        self.slo = ReportSlo(self.store, self.clock, self.rules)
        self.acknowledge = Acknowledge(self.store, self.clock, self.rules)

    def boot(self) -> Followed:
        """Run the start."""
        return run(self.boot_keys())

    def restart(self, rules: KeyRules | None = None, listed: ConfiguredKeys | None = None) -> Followed:
        """Another process on the same store."""
        self.start(rules, listed)
        return self.boot()

    def records(self) -> list[KeyRecord]:
        """All key rows."""
        return self.store.work.keys.all()

    def record(self, kid: str) -> KeyRecord:
        """One key row."""
        return self.store.work.keys.rows[kid]

    def active(self, purpose: str = "token") -> str | None:
        """The active kid of a purpose."""
        found = [record.kid for record in self.records() if record.purpose == purpose and record.state == "active"]
        assert len(found) <= 1
        return found[0] if found else None

    def issue(self, ttl_s: int) -> tuple[str, int]:
        """As if a token were minted now: its kid and `exp`."""
        kid, exp = self.active(), self.clock.now() + ttl_s
        assert kid is not None
        self.store.work.issuances.expiries.setdefault(kid, []).append(exp)
        return kid, exp

    def keyring(self) -> Keyring:
        """The keyring of the newest commit."""
        return run(self.view.fresh()).keyring

    def snapshots(self) -> list[Any]:
        """The whole key log, ascending."""
        return list(self.store.work.snapshots.rows)

    def log_report(self) -> LogReport:
        """What an auditor finds."""
        return verify_log(self.snapshots(), [key_view(record) for record in self.records()], publish_delay_s=self.rules.publish_delay_s)

    def events(self) -> list[str]:
        """The names of all events."""
        return [name.removeprefix("issuer.").removesuffix(".v1") for name in self.store.work.events.names()]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The value of a coroutine."""
    return asyncio.run(coroutine)


def refused(coroutine: Any) -> Refusal:
    """The refusal a coroutine ends with."""
    with pytest.raises(Refusal) as caught:
        run(coroutine)
    return caught.value


def ready_key(house: House, purpose: str = "token") -> str:
    """A prepared key whose delay has passed."""
    kid: str = run(house.prepare(ACTOR, purpose, None, "planned")).kid
    house.clock.move(RULES.publish_delay_s)
    return kid


@pytest.fixture
def house() -> House:
    """A managed issuer after its first start."""
    made = House()
    made.boot()
    return made


@pytest.fixture
def auditor() -> Callable[[House], None]:
    """Checks the log of a house."""

    def check(house: House) -> None:
        report = house.log_report()
        assert report.intact, report

    return check
