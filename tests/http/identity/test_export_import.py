"""Export and import between two services (identity.md §8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.http.identity.moving import KID, SOURCE, TARGET, bundle_of, edited, export, exporter, importer, take_in
from tests.http.identity.people import PLANE, Desk, Person, at, person
from tests.http.identity.serving import START, MakeIdentity
from tests.http.identity.test_rotation import rotate, rotation
from tests.http.identity.test_transfer import request


@pytest.fixture(scope="module")
def source(make_identity: MakeIdentity) -> Desk:
    return exporter(make_identity)


@pytest.fixture(scope="module")
def target(make_identity: MakeIdentity) -> Desk:
    return importer(make_identity)


@pytest.fixture
def moving(source: Desk, target: Desk) -> tuple[Person, Person, Person, dict[str, Any]]:
    """A family at the source, its owner bound at the target too, and its bundle."""
    owner, controller, agent = source.family()
    target.bind(owner)
    return owner, controller, agent, bundle_of(source, owner, controller)


def test_a_bundle_says_and_signs_everything(source: Desk) -> None:
    owner, controller, agent = source.family()
    answer = export(source, owner, controller).ok()
    bundle = answer["export_bundle"]
    assert (answer["status"], bundle["issuer"], bundle["audience"], bundle["signer_kid"]) == ("exported", SOURCE, [TARGET], KID)
    assert (bundle["sequence"], bundle["exported_at"], bundle["expires_at"]) == (1, START, START + 86400)
    assert bundle["exported_at_iso"] == "2027-01-15T08:00:00.000Z"
    assert [one["agent_did"] for one in bundle["payload"]["agent_bindings"]] == [agent.did]
    assert edited(bundle)["signature_b64u"] == bundle["signature_b64u"]
    assert bundle_of(source, owner, controller)["sequence"] == 2


def test_export_is_tied_to_its_challenge(source: Desk) -> None:
    owner, controller, agent = source.family()
    named = {"controller_did": controller.did, "agent_did": agent.did}
    body = {**source.signed(owner, "export_identity", **named), **named}
    path = f"{PLANE}/identity/export"
    assert source.client.post(path, {**body, "audience": [TARGET]}).refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")
    assert source.client.post(path, {**body, "controller_did": owner.did}).refusal == (404, "CONTROLLER_NOT_FOUND")
    assert source.client.post(path, {**body, "owner_did": agent.did}).refusal == (403, "CONTROLLER_OWNER_MISMATCH")
    assert source.client.post(path, {**body, "signature_b64u": "A" * 86}).refusal == (401, "SIGNATURE_INVALID")
    exported = source.client.post(path, body).ok()["export_bundle"]
    assert exported["audience"] == [SOURCE]
    assert source.client.post(path, body).refusal == (404, "CHALLENGE_NOT_FOUND")


def test_export_refuses_without_a_key_and_beyond_its_size(desk: Desk, make_identity: MakeIdentity) -> None:
    owner, controller, _ = desk.family()
    assert export(desk, owner, controller).refusal == (503, "EXPORT_SIGNING_NOT_CONFIGURED")
    small = exporter(make_identity, export_max_agents=1)
    owner, controller, agent = small.family()
    second = person()
    small.bind(second)
    small.add_agent(owner, controller, second).ok()
    assert export(small, owner, controller).refusal == (413, "EXPORT_TOO_LARGE")
    assert len(export(small, owner, controller, agent_did=agent.did).ok()["export_bundle"]["payload"]["agent_bindings"]) == 1


def test_a_controller_in_transfer_is_not_exported(source: Desk) -> None:
    owner, controller, _ = source.family()
    other = person()
    source.bind(other)
    named = {"controller_did": controller.did}
    body = {**source.signed(owner, "export_identity", **named), **named}
    request(source, owner, controller, other)
    assert source.client.post(f"{PLANE}/identity/export", body).refusal == (409, "CONTROLLER_TRANSFER_FROZEN")


def test_an_imported_chain_waits_until_all_are_bound_here(target: Desk, moving: Any) -> None:
    owner, controller, agent, bundle = moving
    answer = take_in(target, owner, bundle).ok()
    assert (answer["status"], answer["controller_did"]) == ("imported", controller.did)
    assert answer["unbound_dids"] == [controller.did, agent.did]
    assert target.chain(controller.did, agent.did)["chain"]["inactive_reasons"] == [
        "controller_binding_inactive",
        "agent_binding_inactive",
    ]
    target.bind(controller, agent)
    body = target.chain(controller.did, agent.did)
    assert body["chain"]["active"] is True
    assert (body["controller"]["origin_issuer"], body["controller"]["transfer_state"]) == (SOURCE, "active")
    assert take_in(target, owner, bundle).ok() == {"status": "already_imported", "bundle_hash_b64u": bundle["bundle_hash_b64u"]}


def test_what_was_rotated_before_export_is_imported_with_its_aliases(source: Desk, target: Desk) -> None:
    owner, first, agent = source.family()
    second, new_agent = person(), person()
    source.bind(second, new_agent)
    rotate(source, owner, rotation("agent", agent, new_agent, first))
    rotate(source, owner, rotation("controller", first, second))
    target.bind(owner, second, new_agent)
    take_in(target, owner, bundle_of(source, owner, second)).ok()
    body = target.chain(first.did, agent.did)
    assert (body["chain"]["controller_did"], body["chain"]["agent_did"], body["chain"]["active"]) == (second.did, new_agent.did, True)
    target.bind(first)
    assert target.register(owner, first).refusal == (409, "ROTATION_CONFLICT")


def _drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda payload: payload.pop(name)


@pytest.mark.parametrize(
    "change",
    [
        {"payload": _drop("controller")},
        {"payload": lambda payload: payload["controller"].update(transfer_state="transfer_pending")},
        {"payload": lambda payload: payload["agent_bindings"].append(payload["agent_bindings"][0])},
        {"payload": lambda payload: payload["controller"].update(owner_did="did:key:zOther")},
        {"payload": lambda payload: payload["controller"]["policy"].update(allowed_sensitive_scopes=["x"])},
        {
            "payload": lambda payload: payload["rotation_aliases"].append(
                {
                    "alias_version": "1",
                    "role": "controller",
                    "from_did": "did:key:zA",
                    "to_did": "did:key:zB",
                    "owner_did": payload["owner_did"],
                    "active": True,
                    "confirmed_at": 1,
                }
            )
        },
        {"exported_at": "2026"},
        {"exported_at": True},
        {"exported_at_iso": "2026-01-01T00:00:00.000Z"},
        {"envelope_version": "1"},
        {"surplus": 1},
    ],
)
def test_another_shape_is_no_bundle(target: Desk, moving: Any, change: dict[str, Any]) -> None:
    owner, _, _, bundle = moving
    assert take_in(target, owner, edited(bundle, **change)).refusal == (400, "IMPORT_BUNDLE_INVALID")


def test_a_bundle_without_payload_is_refused_and_one_that_is_no_object_too(target: Desk, moving: Any) -> None:
    owner, _, _, bundle = moving
    signed = target.signed(owner, "import_identity", bundle_hash_b64u=bundle["bundle_hash_b64u"])
    path = f"{PLANE}/identity/import"
    assert target.client.post(path, {**signed, "bundle": {}}).refusal == (400, "IMPORT_BUNDLE_INVALID")
    assert target.client.post(path, {**signed, "bundle": []}).refusal == (400, "INVALID_REQUEST")
    wrong = {**signed, "bundle": edited(bundle, bundle_hash_b64u="A" * 43)}
    assert target.client.post(path, wrong).refusal == (400, "CHALLENGE_CONTEXT_MISMATCH")


def test_an_edited_payload_is_tampered_whoever_signs_it(target: Desk, moving: Any) -> None:
    owner, _, _, bundle = moving
    changed = edited(bundle, resign=False)
    changed["payload"]["controller"]["version"] = 99
    assert take_in(target, owner, changed).refusal == (409, "IMPORT_BUNDLE_TAMPERED")


@pytest.mark.parametrize(
    "change",
    [
        {"exported_at": START + 50, "exported_at_iso": "2027-01-15T08:00:50.000Z"},
        {"expires_at": START + 10**6},
        {"sequence": 9},
        {"audience": [TARGET, "did:web:more.example"]},
        {"issuer": "did:web:other.example"},
        {"signer_kid": "other"},
        {"signature_b64u": "A" * 86},
    ],
)
def test_nothing_outside_the_payload_can_be_edited(target: Desk, moving: Any, change: dict[str, Any]) -> None:
    owner, _, _, bundle = moving
    assert take_in(target, owner, edited(bundle, resign=False, **change)).refusal == (401, "IMPORT_BUNDLE_SIGNATURE_INVALID")


def test_times_audience_and_owner_are_judged_after_the_signature(target: Desk, moving: Any) -> None:
    owner, _, _, bundle = moving
    late = edited(bundle, exported_at=START + 61, exported_at_iso="2027-01-15T08:01:01.000Z")
    assert take_in(target, owner, late).refusal == (409, "IMPORT_BUNDLE_NOT_YET_VALID")
    assert take_in(target, owner, edited(bundle, audience=[SOURCE])).refusal == (409, "IMPORT_AUDIENCE_MISMATCH")
    other = person()
    target.bind(other)
    assert take_in(target, other, bundle).refusal == (409, "IMPORT_OWNER_MISMATCH")


def test_an_old_bundle_is_stale_even_when_its_expiry_was_stretched(make_identity: MakeIdentity, source: Desk) -> None:
    fresh = importer(make_identity)
    owner, controller, _ = source.family()
    fresh.bind(owner)
    bundle = bundle_of(source, owner, controller)
    fresh.served.clock.move(86401)
    assert take_in(fresh, owner, edited(bundle, expires_at=START + 10**7)).refusal == (409, "IMPORT_BUNDLE_STALE")


def test_what_ended_here_is_never_revived(source: Desk, target: Desk, moving: Any) -> None:
    owner, controller, agent, bundle = moving
    inactive = edited(bundle, payload=lambda payload: payload["controller"].update(active=False))
    assert take_in(target, owner, inactive).refusal == (409, "IMPORT_REVOKED_RECORD")
    target.bind(agent)
    target.revoke(agent)
    assert take_in(target, owner, bundle).refusal == (409, "IMPORT_REVOKED_RECORD")
    owner, controller, agent = source.family()
    target.bind(owner, controller, agent)
    bundle = bundle_of(source, owner, controller)
    take_in(target, owner, bundle).ok()
    target.client.post(at(controller.did, "/deactivate"), target.signed(owner, "deactivate_controller", controller_did=controller.did)).ok()
    assert take_in(target, owner, bundle_of(source, owner, controller)).refusal == (409, "IMPORT_REVOKED_RECORD")


def test_import_never_undoes_a_freeze_or_a_change_made_here(source: Desk, target: Desk, moving: Any) -> None:
    owner, controller, agent, bundle = moving
    other = person()
    target.bind(controller, agent, other)
    take_in(target, owner, bundle).ok()
    request(target, owner, controller, other)
    later = bundle_of(source, owner, controller)
    assert take_in(target, owner, later).refusal == (409, "CONTROLLER_TRANSFER_FROZEN")
    target.client.post(
        at(controller.did, "/transfer/cancel"), target.signed(owner, "transfer_controller_cancel", controller_did=controller.did)
    ).ok()
    assert take_in(target, owner, later).ok()["status"] == "already_imported"
    older = edited(later, payload=lambda payload: payload["controller"].update(version=1))
    assert take_in(target, owner, older).refusal == (409, "IMPORT_BUNDLE_STALE")
    newer = edited(later, payload=lambda payload: payload["controller"].update(version=50))
    assert take_in(target, owner, newer).refusal == (409, "IMPORT_CONTROLLER_CONFLICT")


def test_sequences_only_rise(source: Desk, target: Desk, moving: Any) -> None:
    owner, controller, _, first = moving
    target.bind(controller)
    second = bundle_of(source, owner, controller)
    extra = person()
    source.bind(extra)
    source.add_agent(owner, controller, extra).ok()
    third = bundle_of(source, owner, controller)
    take_in(target, owner, third).ok()
    other = edited(second, payload=lambda payload: payload["controller"].update(version=7))
    assert take_in(target, owner, other).refusal == (409, "IMPORT_BUNDLE_STALE")
    assert take_in(target, owner, first).refusal == (409, "IMPORT_BUNDLE_STALE")
    twin = edited(third, payload=lambda payload: payload["controller"].update(registered_at=5))
    assert take_in(target, owner, twin).refusal == (409, "IMPORT_BUNDLE_TAMPERED")


def test_records_of_others_and_other_aliases_are_conflicts(source: Desk, target: Desk) -> None:
    owner, controller, agent = source.family()
    squatter, new_agent, third = person(), person(), person()
    target.bind(owner, squatter, controller, agent, new_agent, third)
    source.bind(new_agent)
    before = bundle_of(source, owner, controller)
    target.register(squatter, controller).ok()
    assert take_in(target, owner, before).refusal == (409, "IMPORT_CONTROLLER_CONFLICT")
    target.register(owner, controller, consent=True).ok()
    assert take_in(target, owner, edited(before, payload=lambda p: p["controller"].update(version=9))).refusal == (
        409,
        "IMPORT_CONTROLLER_CONFLICT",
    )
    target.add_agent(owner, controller, agent).ok()
    rotate(source, owner, rotation("agent", agent, new_agent, controller))
    assert take_in(target, owner, bundle_of(source, owner, controller)).refusal == (409, "IMPORT_AGENT_CONFLICT")
    rotate(target, owner, rotation("agent", agent, third, controller))
    assert take_in(target, owner, bundle_of(source, owner, controller)).refusal == (409, "IMPORT_ALIAS_CONFLICT")


def test_our_own_export_comes_back_to_us(source: Desk) -> None:
    owner, controller, agent = source.family()
    bundle = export(source, owner, controller, audience=[SOURCE]).ok()["export_bundle"]
    assert take_in(source, owner, bundle).ok()["unbound_dids"] == []
    assert source.chain(controller.did, agent.did)["chain"]["active"] is True
