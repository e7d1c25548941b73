"""When keys are stolen, seeds do not open, or the transparency log is away (keys.md §2, §5, §6)."""

from __future__ import annotations

import pytest

from clawscope.infra.keys import MasterKey
from clawscope.issuer.adapters.keyring_loader import KeyringLoader, SeedVault
from clawscope.issuer.domain.configured_keys import ConfiguredKeys
from clawscope.issuer.usecases.keys.activate_key import ActivateKey
from clawscope.issuer.usecases.keys.boot_keys import BootKeys
from clawscope.issuer.usecases.keys.publish_key_leaves import PublishKeyLeaves
from clawscope.kernel.codes import STORE_UNAVAILABLE
from clawscope.kernel.errors import Refusal
from tests.unit.issuer.keys.conftest import ACTOR, RULES, Auditor, House, ready_key, refused, run


def test_a_revoked_active_key_is_replaced_at_once_and_its_tokens_are_counted(house: House, auditor: Auditor) -> None:
    kid, _ = house.issue(ttl_s=600)
    house.issue(ttl_s=600)
    house.issue(ttl_s=0)
    answer = run(house.revoke(ACTOR, kid, "stolen"))
    assert (answer.status, answer.live_tokens_killed, answer.sequence) == ("revoked", 2, 1)
    assert house.active() == answer.replacement_kid
    assert house.record(answer.replacement_kid).delay_waived
    assert house.keyring().key_set.entries[kid].withdrawn
    newest = house.snapshots()[-1]
    assert (newest["reason"], newest["revoked_kids"], newest["active_kid"]) == ("revoked", [kid], answer.replacement_kid)
    assert [(row.kind, row.kid) for row in house.store.work.revocations.rows] == [("key", kid)]
    auditor(house)


def test_a_prepared_key_takes_over_in_an_emergency_even_before_its_delay(house: House, auditor: Auditor) -> None:
    prepared = run(house.prepare(ACTOR, "token", None, "planned"))
    answer = run(house.revoke(ACTOR, house.active(), "stolen"))
    assert answer.replacement_kid == prepared.kid
    assert house.record(prepared.kid).delay_waived
    auditor(house)


def test_revoking_twice_says_so_and_keeps_the_first_sequence(house: House) -> None:
    kid = house.active()
    first = run(house.revoke(ACTOR, kid, "stolen"))
    again = run(house.revoke(ACTOR, kid, "stolen"))
    assert (again.status, again.sequence, again.live_tokens_killed) == ("already_revoked", first.sequence, 0)
    assert house.events().count("key_revoked") == 1


def test_a_prepared_key_can_be_revoked_without_touching_the_active_one(house: House, auditor: Auditor) -> None:
    active = house.active()
    kid = ready_key(house)
    assert run(house.revoke(ACTOR, kid, "leaked")).replacement_kid is None
    assert house.active() == active
    auditor(house)


def test_a_retired_key_cannot_be_revoked(house: House) -> None:
    kid = ready_key(house)
    run(house.retire(ACTOR, kid, "no use"))
    assert refused(house.revoke(ACTOR, kid, "stolen")).code.name == "KEY_STATE_CONFLICT"


def test_a_revoked_statement_key_hands_the_log_to_its_successor(house: House, auditor: Auditor) -> None:
    old = house.active("statement")
    token = house.active()
    answer = run(house.revoke(ACTOR, old, "stolen"))
    newest = house.snapshots()[-1]
    assert newest["reason"] == "statement_kid_changed"
    assert newest["statement_kid"] == answer.replacement_kid
    assert newest["signer_kid"] == token
    auditor(house)


def test_a_seed_that_does_not_open_stops_its_purpose_alone(house: House) -> None:
    house.vault = SeedVault(MasterKey(b"x" * 32), ConfiguredKeys(), "rfc7638")
    keyring = run(house.store.read(KeyringLoader(house.vault)))
    for purpose in ("token", "statement"):
        with pytest.raises(Refusal, match="SIGNING_CONFIG_INVALID"):
            keyring.signer(purpose)
    assert keyring.key_set.entries[house.active() or ""].accepted_at(house.clock.now())
    restarted = run(BootKeys(house.store, house.clock, house.vault, house.rules)())
    assert len(restarted.warnings) == 2
    assert restarted.appended == 0


def test_a_move_whose_snapshot_cannot_be_signed_changes_nothing(house: House) -> None:
    kid = ready_key(house)
    blind = SeedVault(MasterKey(b"x" * 32), ConfiguredKeys(), "rfc7638")
    before = house.records()
    assert (
        refused(ActivateKey(house.store, house.clock, blind, house.rules, None)(ACTOR, kid, "planned")).code.name
        == "SIGNING_CONFIG_INVALID"
    )
    assert house.records() == before


class Log:
    """A transparency log that includes what it was given, or does not answer."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.gone = False

    async def append(self, log_id: str, leaf: bytes) -> None:
        assert log_id == "issuer-keys"
        self.leaves.append(leaf)

    async def includes(self, log_id: str, leaf: bytes) -> bool:
        if self.gone:
            raise STORE_UNAVAILABLE("gone")
        return leaf in self.leaves


def test_activation_waits_for_the_log_but_an_emergency_does_not() -> None:
    log = Log()
    house = House(log=log)
    house.boot()
    kid = ready_key(house)
    assert refused(house.activate(ACTOR, kid, "planned")).code.name == "KEY_LOG_UNAVAILABLE"
    publish = PublishKeyLeaves(house.store, log)
    assert run(publish()) == 2
    assert run(publish()) == 0
    log.gone = True
    assert refused(house.activate(ACTOR, kid, "planned")).code.name == "KEY_LOG_UNAVAILABLE"
    assert run(house.revoke(ACTOR, house.active(), "stolen")).replacement_kid == kid


def test_an_automatic_activation_that_the_log_holds_up_does_not_stop_the_refresh() -> None:
    house = House(log=Log())
    house.boot()
    run(house.rotate(ACTOR, "token", "monthly"))
    house.clock.move(RULES.publish_delay_s)
    ran = run(house.schedule())
    assert [one.code.name for one in ran.refused] == ["KEY_LOG_UNAVAILABLE"]
    assert ran.done == ("refreshed",)
