"""Keys from configuration: the runbook's steps as written, and what happens when they are not followed (keys.md §2, §3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clawscope.issuer.adapters.keyring_loader import KeyringLoader
from clawscope.issuer.domain.configured_keys import FaultyKeys
from clawscope.issuer.domain.rotation_contract import contract, key_state
from clawscope.kernel.errors import Refusal
from clawscope.protocol import b64u
from clawscope.protocol.jwk import thumbprint
from clawscope.protocol.keys import SigningKey
from tests.unit.issuer.keys.conftest import ACTOR, RULES, House, configured, run, seed

Auditor = Callable[[House], None]
NOW = 1_800_000_000


def kid(name: str) -> str:
    return thumbprint(public(name))


def public(name: str) -> bytes:
    return SigningKey.from_seed(b64u.decode(seed(name))).public


def verify_only(name: str, not_after: int) -> str:
    return json.dumps([{"x": b64u.encode(public(name)), "not_after_unix": not_after, "source_label": "former"}])


def started(*signing: str, **options: Any) -> House:
    house = House(
        replace(RULES, from_config=True, allow_unpublished=options.pop("allow_unpublished", True)), configured(*signing, **options)
    )
    house.boot()
    return house


def test_the_first_seed_signs_and_the_others_stand_by(auditor: Auditor) -> None:
    house = started("a", "b")
    state = key_state(house.records(), house.clock.now(), RULES.overlap_s)
    shown = contract(state)
    assert shown["active_kid"] == kid("a")
    assert shown["signing_kids"] == shown["accepted_kids"] == [kid("a"), kid("b")]
    assert shown["verify_only_kids"] == shown["prepared_kids"] == []
    assert [one["reason"] for one in house.snapshots()] == ["boot"]
    auditor(house)


def test_the_runbooks_rotation_works_in_one_deployment(auditor: Auditor) -> None:
    house = started("a")
    cut_off = NOW + 3720
    followed = house.restart(listed=configured("b", verify=verify_only("a", cut_off)))
    assert house.active() == kid("b")
    assert house.record(kid("a")).not_after_unix == cut_off
    assert house.record(kid("b")).delay_waived
    assert house.snapshots()[-1]["reason"] == "delay_waived"
    assert any("delay_waived" in line for line in followed.warnings)
    house.clock.move(3721)
    run(house.schedule())
    house.restart(listed=configured("b"))
    assert house.record(kid("a")).state == "retired"
    auditor(house)


def test_a_cut_off_that_cuts_live_tokens_is_warned_of(auditor: Auditor) -> None:
    house = started("a")
    house.issue(ttl_s=3600)
    followed = house.restart(listed=configured("b", verify=verify_only("a", NOW + 60)))
    assert any("cuts live tokens" in line for line in followed.warnings)
    assert house.record(kid("a")).not_after_unix == NOW + 60
    auditor(house)


def test_a_key_dropped_from_the_configuration_is_expired_not_unknown(auditor: Auditor) -> None:
    house = started("b", verify=verify_only("a", NOW + 3600))
    house.restart(listed=configured("b"))
    entry = house.keyring().key_set.entries[kid("a")]
    assert entry.withdrawn
    auditor(house)


def test_a_public_key_listed_after_its_cut_off_is_known_as_retired() -> None:
    house = started("b", verify=verify_only("a", NOW - 1))
    assert house.record(kid("a")).state == "retired"


def test_an_active_key_that_left_the_configuration_lives_out_its_tokens(auditor: Auditor) -> None:
    house = started("a")
    _, exp = house.issue(ttl_s=86_400)
    followed = house.restart(listed=configured("b"))
    assert house.record(kid("a")).state == "verify_only"
    assert house.record(kid("a")).not_after_unix == exp + 2 * RULES.clock_skew_s
    assert any("no longer listed" in line for line in followed.warnings)
    assert house.restart(listed=configured("b")).appended == 0
    assert house.record(kid("a")).state == "verify_only"
    auditor(house)


def test_a_stand_by_key_that_never_signed_leaves_at_once(auditor: Auditor) -> None:
    house = started("a", "b")
    house.restart(listed=configured("a"))
    assert house.record(kid("b")).state == "retired"
    auditor(house)


def test_seeds_may_change_places_and_back(auditor: Auditor) -> None:
    house = started("a", "b")
    house.clock.move(RULES.publish_delay_s)
    house.restart(listed=configured("b", "a"))
    assert (house.active(), house.record(kid("a")).state) == (kid("b"), "prepared")
    assert not house.record(kid("b")).delay_waived
    house.restart(listed=configured("a", "b"))
    assert house.active() == kid("a")
    auditor(house)


def test_without_waiver_a_new_first_key_waits_while_the_former_signs(auditor: Auditor) -> None:
    house = started("a", allow_unpublished=False)
    followed = house.restart(listed=configured("b", "a"))
    assert house.active() == kid("a")
    assert followed.appended == 1
    house.clock.move(RULES.publish_delay_s)
    assert "followed" in run(house.schedule()).done
    assert house.active() == kid("b")
    assert house.record(kid("a")).state == "prepared"
    auditor(house)


def test_without_waiver_an_unpublished_only_key_is_not_ready_until_its_delay_has_passed(auditor: Auditor) -> None:
    house = started("a", allow_unpublished=False)
    followed = house.restart(listed=configured("b"))
    with pytest.raises(Refusal, match="SIGNING_NOT_READY"):
        house.keyring().signer("token")
    assert contract(key_state(house.records(), house.clock.now(), 3600))["active_kid"] is None
    assert any("published long enough" in line for line in followed.warnings)
    house.clock.move(RULES.publish_delay_s)
    run(house.schedule())
    assert house.keyring().signer("token")[0] == kid("b")
    auditor(house)


def test_the_very_first_key_signs_at_once_even_without_waiver() -> None:
    assert started("a", allow_unpublished=False).active() == kid("a")


def test_a_revoked_key_stays_revoked_though_it_is_still_listed(auditor: Auditor) -> None:
    house = started("a", "b")
    assert run(house.revoke(ACTOR, kid("a"), "stolen")).replacement_kid == kid("b")
    followed = house.restart(listed=configured("a", "b"))
    assert house.record(kid("a")).state == "revoked"
    assert house.active() == kid("b")
    assert any("never comes back" in line for line in followed.warnings)
    auditor(house)


def test_revoking_the_only_listed_key_leaves_nobody_to_sign(auditor: Auditor) -> None:
    house = started("a")
    assert run(house.revoke(ACTOR, kid("a"), "stolen")).replacement_kid is None
    assert house.snapshots()[-1]["active_kid"] is None
    with pytest.raises(Refusal, match="SIGNING_NOT_CONFIGURED"):
        house.keyring().signer("token")
    auditor(house)


def test_moves_by_hand_are_refused_but_revocation() -> None:
    house = started("a", "b")
    by_hand = [
        house.prepare(ACTOR, "token", None, "x"),
        house.rotate(ACTOR, "token", "x"),
        house.activate(ACTOR, kid("b"), "x"),
        house.retire(ACTOR, kid("b"), "x"),
    ]
    for move in by_hand:
        with pytest.raises(Refusal, match="KEYS_READ_ONLY"):
            run(move)


def test_a_new_statement_key_goes_on_with_the_log(auditor: Auditor) -> None:
    house = started("a")
    house.restart(listed=configured("a", statement="another"))
    newest = house.snapshots()[-1]
    assert (newest["reason"], newest["signer_kid"]) == ("statement_kid_changed", kid("a"))
    assert house.restart(listed=configured("a", statement="another")).appended == 0
    auditor(house)


def test_a_statement_key_that_ended_never_comes_back() -> None:
    house = started("a")
    house.restart(listed=configured("a", statement="another"))
    with pytest.raises(FaultyKeys, match="never comes back"):
        house.restart(listed=configured("a"))


def test_token_and_statement_key_may_change_in_one_deployment(auditor: Auditor) -> None:
    house = started("a")
    house.restart(listed=configured("b", statement="another"))
    assert [one["reason"] for one in house.snapshots()] == ["boot", "statement_kid_changed", "delay_waived"]
    assert house.active() == kid("b")
    auditor(house)


def test_managed_keys_can_give_way_to_configured_ones_and_back(auditor: Auditor) -> None:
    house = House()
    house.boot()
    managed = house.active()
    house.restart(listed=configured("a"))
    assert house.active() == kid("a")
    assert house.record(managed or "").state == "verify_only"
    house.start(replace(RULES, from_config=False))
    house.boot()
    assert house.active() not in (managed, kid("a"))
    assert house.record(kid("a")).state == "verify_only"
    auditor(house)


def test_a_reload_that_contradicts_what_is_known_changes_nothing_and_is_an_event() -> None:
    house = started("a", "b")
    before = house.records()
    renamed = configured(signing_json=json.dumps([{"seed": seed("c"), "kid": kid("a")}]))
    with pytest.raises(FaultyKeys, match="named another key"):
        run(house.boot_keys.reload(renamed))
    assert house.records() == before
    assert house.vault.configured.signing[0].kid == kid("a")
    assert house.events()[-1] == "keys_reload_refused"


def test_a_good_reload_is_followed(auditor: Auditor) -> None:
    house = started("a")
    run(house.boot_keys.reload(configured("b", verify=verify_only("a", NOW + 4000))))
    assert house.active() == kid("b")
    assert house.keyring().signer("token")[0] == kid("b")
    auditor(house)


def test_a_process_that_reloads_after_another_signs_with_the_new_seed() -> None:
    house = started("a")
    first, late = house.boot_keys, house.vault
    house.start(listed=configured("b", "a"))
    house.boot()
    keyring = run(house.store.read(KeyringLoader(late)))
    assert not keyring.can_sign("token")
    assert run(first.reload(configured("b", "a"))).appended == 0
    assert keyring.signer("token")[0] == kid("b")
    assert set(keyring._private) == {kid("a"), kid("b"), house.active("statement")}


def test_a_key_keeps_the_kid_it_had() -> None:
    house = started("a")
    with pytest.raises(FaultyKeys, match="keep that kid"):
        house.restart(listed=configured(signing_json=json.dumps([{"seed": seed("a"), "kid": "renamed"}])))


def test_a_key_has_one_purpose_for_ever() -> None:
    house = started("a")
    with pytest.raises(FaultyKeys, match="one purpose"):
        house.restart(listed=configured("b", statement="a"))
