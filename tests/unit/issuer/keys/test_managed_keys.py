"""Managed keys: first start, rotation, activation, retirement, emergencies (keys.md §1, §3, §5)."""

from __future__ import annotations

from dataclasses import replace

from clawscope.issuer.domain.configured_keys import ConfiguredKeys
from clawscope.issuer.domain.key_rules import key_times
from clawscope.protocol import b64u
from clawscope.protocol.keys import SigningKey
from tests.unit.issuer.keys.conftest import ACTOR, RULES, Auditor, House, ready_key, refused, run


def test_the_first_start_makes_keys_that_sign_at_once_and_a_log_entry(house: House, auditor: Auditor) -> None:
    assert [one["reason"] for one in house.snapshots()] == ["boot"]
    assert house.keyring().signer("token")[0] == house.active()
    assert house.keyring().signer("statement")[0] == house.active("statement")
    auditor(house)


def test_a_second_start_changes_nothing(house: House) -> None:
    active = house.active()
    assert house.restart().appended == 0
    assert house.active() == active


def test_a_reload_leaves_managed_keys_alone(house: House) -> None:
    active = house.active()
    assert run(house.boot_keys.reload(ConfiguredKeys())).appended == 0
    assert house.active() == active


def test_a_prepared_key_is_published_but_does_not_sign(house: House, auditor: Auditor) -> None:
    active = house.active()
    prepared = run(house.prepare(ACTOR, "token", None, "planned"))
    assert prepared.activatable_at == house.clock.now() + RULES.publish_delay_s
    newest = house.snapshots()[-1]
    assert newest["reason"] == "prepared"
    assert newest["accepted_kids"] == [active, prepared.kid]
    assert newest["prepared_kids"] == [{"kid": prepared.kid, "activates_at_unix": prepared.activatable_at}]
    assert house.keyring().signer("token")[0] == active
    auditor(house)


def test_activation_before_the_delay_is_refused_with_retry_after_and_leaves_an_event(house: House) -> None:
    prepared = run(house.prepare(ACTOR, "token", None, "planned"))
    house.clock.move(RULES.publish_delay_s - 1)
    refusal = refused(house.activate(ACTOR, prepared.kid, "too soon"))
    assert refusal.code.name == "KEY_NOT_READY"
    assert refusal.headers["Retry-After"] == "1"
    assert house.events()[-1] == "key_move_refused"


def test_activation_keeps_the_former_key_until_its_last_token_has_ended(house: House, auditor: Auditor) -> None:
    kid = ready_key(house)
    former, exp = house.issue(ttl_s=86_400)
    answer = run(house.activate(ACTOR, kid, "planned"))
    assert (answer.active_kid, answer.former_kid) == (kid, former)
    assert answer.not_after_unix == exp + 2 * RULES.clock_skew_s
    assert house.record(former).state == "verify_only"
    auditor(house)


def test_activation_without_long_tokens_keeps_the_former_key_for_the_overlap(house: House) -> None:
    kid = ready_key(house)
    house.issue(ttl_s=60)
    answer = run(house.activate(ACTOR, kid, "planned"))
    assert answer.not_after_unix == house.clock.now() + RULES.overlap_s + 2 * RULES.clock_skew_s


def test_a_kid_is_accepted_to_the_second_of_its_cut_off_and_no_longer(house: House) -> None:
    kid = ready_key(house)
    answer = run(house.activate(ACTOR, kid, "planned"))
    entry = house.keyring().key_set.entries[answer.former_kid]
    assert entry.accepted_at(answer.not_after_unix)
    assert not entry.accepted_at(answer.not_after_unix + 1)


def test_a_retired_kid_is_never_unknown_again(house: House, auditor: Auditor) -> None:
    former = house.active()
    assert former is not None
    answer = run(house.activate(ACTOR, ready_key(house), "planned"))
    house.clock.move(answer.not_after_unix - house.clock.now() + 1)
    assert "retired" in run(house.schedule()).done
    assert house.record(former).state == "retired"
    entry = house.keyring().key_set.entries[former]
    assert entry.withdrawn
    auditor(house)


def test_retiring_is_refused_while_tokens_are_alive_and_for_the_active_key(house: House) -> None:
    former = house.active()
    kid = ready_key(house)
    run(house.activate(ACTOR, kid, "planned"))
    assert refused(house.retire(ACTOR, former, "early")).code.name == "KEY_STILL_NEEDED"
    assert refused(house.retire(ACTOR, kid, "no")).code.name == "KEY_STATE_CONFLICT"
    assert refused(house.retire(ACTOR, "nobody", "no")).code.name == "KEY_NOT_FOUND"


def test_a_prepared_key_may_always_be_abandoned_and_never_comes_back(house: House, auditor: Auditor) -> None:
    kid = ready_key(house)
    assert run(house.retire(ACTOR, kid, "changed our minds")).state == "retired"
    assert refused(house.activate(ACTOR, kid, "after all")).code.name == "KEY_STATE_CONFLICT"
    assert refused(house.prepare(ACTOR, "token", kid, "the same name")).code.name == "KID_TAKEN"
    auditor(house)


def test_a_blank_reason_is_refused(house: House) -> None:
    assert refused(house.prepare(ACTOR, "token", None, " \t ")).code.name == "INVALID_REQUEST"


def test_a_named_kid_is_taken_as_it_is_and_judged(house: House) -> None:
    assert run(house.prepare(ACTOR, "token", "spring-2027", "planned")).kid == "spring-2027"
    assert refused(house.prepare(ACTOR, "token", "a/b", "planned")).code.name == "KEY_INVALID"
    assert refused(house.prepare(ACTOR, "agent", None, "planned")).code.name == "KEY_INVALID"


def test_a_rotation_is_published_then_activated_by_itself(house: House, auditor: Auditor) -> None:
    former = house.active()
    rotating = run(house.rotate(ACTOR, "token", "monthly"))
    assert rotating.retiring_kid == former
    assert refused(house.rotate(ACTOR, "token", "again")).code.name == "KEY_ROTATION_IN_PROGRESS"
    house.clock.move(RULES.publish_delay_s - 1)
    assert run(house.schedule()).next_due <= rotating.activates_at_unix
    assert house.active() == former
    house.clock.move(1)
    run(house.schedule())
    assert house.active() == rotating.prepared_kid
    assert rotating.not_after_unix == house.record(former or "").not_after_unix
    auditor(house)


def test_rotation_is_automatic_and_prepared_ahead(house: House, auditor: Auditor) -> None:
    first = house.active()
    house.clock.move(RULES.rotate_every_s - RULES.publish_delay_s - 61)
    run(house.schedule())
    assert not any(record.auto_activate for record in house.records())
    house.clock.move(1)
    run(house.schedule())
    assert sorted(record.purpose for record in house.records() if record.auto_activate) == ["statement", "token"]
    house.clock.move(RULES.publish_delay_s)
    run(house.schedule())
    assert house.active() != first
    auditor(house)


def test_rotation_can_be_switched_off(house: House) -> None:
    house.start(replace(RULES, rotate_every_s=0))
    house.clock.move(10 * RULES.rotate_every_s)
    run(house.schedule())
    assert len(house.records()) == 2


def test_a_dry_run_shows_the_plan_and_does_nothing(house: House) -> None:
    former = house.active()
    before = (house.records(), house.snapshots())
    assert [move["to_state"] for move in run(house.rotate.dry_run("token"))] == ["prepared", "verify_only", "active"]
    moves, killed = run(house.revoke.dry_run(former))
    assert [(move.get("kid"), move["to_state"]) for move in moves] == [(former, "revoked"), (None, "active")]
    assert killed == 0
    assert run(house.prepare.dry_run("token", None))[0]["at"] == house.clock.now() + RULES.publish_delay_s
    assert refused(house.activate.dry_run("nobody")).code.name == "KEY_NOT_FOUND"
    assert (house.records(), house.snapshots()) == before


def test_a_statement_key_rotates_by_the_same_rules(house: House, auditor: Auditor) -> None:
    kid = ready_key(house, "statement")
    run(house.activate(ACTOR, kid, "planned"))
    assert house.snapshots()[-1]["statement_kid"] == kid
    run(house.history.snapshot())
    auditor(house)


def test_a_former_key_is_imported_for_verification_only(house: House, auditor: Auditor) -> None:
    public = SigningKey.from_seed(b"f" * 32).public
    at = house.clock.now() + 100
    imported = run(house.import_verify(ACTOR, b64u.encode(public), at, "old", "from the former system"))
    assert imported.state == "verify_only"
    assert house.keyring().key_set.entries["old"].accepted_at(at)
    assert refused(house.activate(ACTOR, "old", "sign")).code.name == "KEY_STATE_CONFLICT"
    assert refused(house.import_verify(ACTOR, b64u.encode(public), at, None, "twice")).code.name == "KID_TAKEN"
    assert refused(house.import_verify(ACTOR, b64u.encode(bytes(32)), at, None, "small order")).code.name == "KEY_INVALID"
    assert refused(house.import_verify(ACTOR, b64u.encode(bytes([9]) * 32), house.clock.now(), None, "past")).code.status == 400
    auditor(house)


def test_seeds_are_sealed_and_show_nowhere(house: House) -> None:
    seeds = [record.sealed for record in house.records()]
    assert all(sealed is not None and len(sealed) == 1 + 12 + 32 + 16 for sealed in seeds)
    assert "seed" not in repr(house.snapshots()) + repr(house.store.work.events.rows)


def test_every_move_leaves_an_event_with_actor_and_reason(house: House) -> None:
    kid = ready_key(house)
    run(house.activate(ACTOR, kid, "planned"))
    event = next(one for one in house.store.work.events.rows if one.name == "issuer.key_activated.v1" and one.data["kid"] == kid)
    assert event.data["actor"] == ACTOR
    assert event.data["reason"] == "planned"
    assert (event.data["from_state"], event.data["to_state"]) == ("prepared", "active")
    assert {"key_prepared", "key_activated", "key_verify_only", "key_snapshot_published"} <= set(house.events())


def test_start_up_knows_delays_that_readers_could_not_keep_up_with() -> None:
    assert key_times(600, 300, 3600, 60) == []
    assert len(key_times(359, 300, 1199, 60)) == 2
