"""What is published of keys: JWKS, contract, DID documents, the key log; always one view (keys.md §4, §6)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from clawscope.issuer.domain.key_documents import key_view
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.rotation_contract import contract, key_state
from clawscope.issuer.usecases.keys.append_snapshot import AppendSnapshot
from clawscope.issuer.usecases.keys.read_keys import ReadKeys
from clawscope.issuer.usecases.keys.verify_log import UnreadableLog, verify_log
from clawscope.kernel.codes import STORE_UNAVAILABLE
from clawscope.kernel.errors import Refusal
from clawscope.protocol import b64u
from clawscope.protocol.jwk import thumbprint
from clawscope.protocol.keys import SigningKey
from tests.fakes.memory_keys import MemoryStore
from tests.unit.issuer.keys.conftest import ACTOR, RULES, House, configured, run
from tests.unit.issuer.keys.test_configured_keys import kid, verify_only

RFC_8037_SEED = b64u.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
RFC_8032_TEST_3_SEED = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")


def read(document: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document.body)
    return found


def test_the_example_of_the_contract_comes_out_byte_for_byte() -> None:
    listed = configured(signing_json=json.dumps([b64u.encode(RFC_8037_SEED)]))
    listed = replace(listed, statement=replace(listed.signing[0], kid=thumbprint(statement().public), key=statement()))
    house = House(KeyRules(from_config=True), listed)
    house.boot()
    entry = house.snapshots()[0]
    assert entry["snapshot_hash_b64u"] == "pj95-31NakdxXJDs63o_a5J292oSaDsW5BFQ-Yw7tH8"
    assert entry["signature_b64u"] == "2txwYI7gQd8QsYsgPianT4-LBmI9NpBjATUSfRszF1_A3nU20xpzFb5oP8CK_kkMWLqy3ssBcCYGE7iMEHLTDQ"
    assert entry["entry_hash_b64u"] == "oeTpVvxqCyE3OztMMRvvtFOtBDKyF1OaDr5Mtt5wS3o"
    assert entry["entry_signature_b64u"] == "cEqfOS4fUuEBVaK8jZ-c-7iB1pFT-UK7xT-73kxHpzVyLGYhAjWBFBHG5VQLvG-rDRcfr-5HfLdkqg70jFgtAQ"
    assert entry["statement_kid"] == "FVV5umTuau890q59V-4Ga_R6qWb7ON_ivJc4EjvCwTM"
    body = run(house.documents.jwks()).body.decode()
    assert body == (
        '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",'
        '"kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","alg":"EdDSA","use":"sig","ext":true}]}'
    )


def statement() -> SigningKey:
    return SigningKey.from_seed(RFC_8032_TEST_3_SEED)


def test_contract_jwks_and_log_agree_after_every_change(house: House) -> None:
    def agree() -> None:
        shown = read(run(house.documents.contract()))
        newest = read(run(house.history.latest()))
        jwks = [key["kid"] for key in read(run(house.documents.jwks()))["keys"]]
        assert shown["accepted_kids"] == jwks == newest["accepted_kids"]
        for name in ("active_kid", "signing_kids", "verify_only_kids", "expiring_kids", "prepared_kids", "revoked_kids"):
            assert shown[name] == newest[name]

    agree()
    prepared = run(house.prepare(ACTOR, "token", None, "r")).kid
    agree()
    house.clock.move(RULES.publish_delay_s)
    run(house.activate(ACTOR, prepared, "r"))
    agree()
    run(house.revoke(ACTOR, prepared, "r"))
    agree()


def test_the_contract_reads_as_the_example() -> None:
    house = House(KeyRules(from_config=True), configured("b", "c", verify=verify_only("a", 1_800_003_720)))
    house.boot()
    assert read(run(house.documents.contract())) == {
        "contract_version": "2",
        "key_algorithm": "Ed25519",
        "active_kid": kid("b"),
        "accepted_kids": [kid("b"), kid("c"), kid("a")],
        "signing_kids": [kid("b"), kid("c")],
        "verify_only_kids": [kid("a")],
        "overlap_seconds": 3600,
        "overlap_window_open": True,
        "expiring_kids": [{"kid": kid("a"), "not_after_unix": 1_800_003_720}],
        "jwks_endpoint": "/v1/jwks",
        "revocation_stream_endpoint": "/v1/revocations/stream",
        "prepared_kids": [],
        "revoked_kids": [],
    }


def test_a_key_leaves_every_answer_the_second_after_its_cut_off() -> None:
    house = House(KeyRules(from_config=True), configured("b", verify=verify_only("a", 1_800_000_100)))
    house.boot()
    house.clock.move(100)
    assert len(read(run(house.documents.jwks()))["keys"]) == 2
    before = run(house.documents.contract())
    house.clock.move(1)
    assert len(read(run(house.documents.jwks()))["keys"]) == 1
    after = run(house.documents.contract())
    assert read(after)["verify_only_kids"] == read(after)["expiring_kids"] == []
    assert before.etag != after.etag


def test_an_answer_is_encoded_once_per_change_and_tagged_over_its_bytes(house: House) -> None:
    first = run(house.documents.jwks())
    assert run(house.documents.jwks()) is first
    run(house.prepare(ACTOR, "token", None, "r"))
    second = run(house.documents.jwks())
    assert second.etag != first.etag
    assert second.sequence == first.sequence + 1


def test_reading_writes_nothing(house: House) -> None:
    before = (house.records(), house.snapshots(), house.events())
    for read_one in (house.documents.jwks, house.documents.contract, house.documents.did_document, house.history.latest):
        run(read_one())
    run(house.history.page(None, None, None))
    assert (house.records(), house.snapshots(), house.events()) == before


def test_no_answer_shows_a_private_member(house: House) -> None:
    for document in (house.documents.jwks, house.documents.statement_jwks, house.documents.did_document, house.documents.did):
        text = run(document()).body
        assert b'"d"' not in text
        assert b"sealed" not in text
    assert all("sealed" not in view for view in run(house.documents.keys(None)))


def test_statement_keys_stay_listed_after_they_retired_and_token_keys_never_appear_there(house: House) -> None:
    old = house.active("statement")
    new = run(house.prepare(ACTOR, "statement", None, "r")).kid
    house.clock.move(RULES.publish_delay_s)
    cut_off = run(house.activate(ACTOR, new, "r")).not_after_unix
    house.clock.move(cut_off - house.clock.now() + 1)
    run(house.schedule())
    listed = {key["kid"]: key for key in read(run(house.documents.statement_jwks()))["keys"]}
    assert list(listed) == [new, old]
    assert listed[old or ""]["state"] == "retired"
    assert listed[old or ""]["not_after_unix"] == cut_off
    assert {key["purpose"] for key in listed.values()} == {"statement"}


def test_the_did_document_lets_token_keys_delegate_and_the_others_assert(house: House) -> None:
    document = read(run(house.documents.did_document()))
    did = "did:web:issuer.example"
    assert document["id"] == did
    assert document["capabilityDelegation"] == [f"{did}#{house.active()}"]
    assert document["assertionMethod"] == [f"{did}#{house.active('statement')}"]
    assert {method["type"] for method in document["verificationMethod"]} == {"JsonWebKey"}
    body = read(run(house.documents.did()))
    assert body == {"did": did, "kid": house.active(), "public_key_b64u": b64u.encode(house.record(house.active() or "").public)}


def test_without_any_token_key_the_answers_are_503() -> None:
    house = House()
    for document in (house.documents.did, house.documents.jwks, house.documents.contract):
        with pytest.raises(Refusal, match="SIGNING_NOT_CONFIGURED"):
            run(document())


class GoneView:
    """A view whose store does not answer."""

    async def fresh(self) -> Any:
        raise STORE_UNAVAILABLE("gone")


def test_an_unreadable_key_set_is_one_error_everywhere(house: House) -> None:
    documents = ReadKeys(GoneView(), house.clock, RULES, "did:web:x")  # type: ignore[arg-type]  # only `fresh` is asked
    for document in (documents.did, documents.jwks, documents.contract, documents.statement_jwks, documents.did_document):
        with pytest.raises(Refusal, match="SIGNING_CONFIG_INVALID"):
            run(document())


def test_history_pages_newest_first_and_ascending_above_since(house: House) -> None:
    for _ in range(4):
        run(house.history.snapshot())
    first = run(house.history.page(2, None, None))
    assert [one["sequence"] for one in first["snapshots"]] == [5, 4]
    rest = run(house.history.page(100, first["cursor"], None))
    assert [one["sequence"] for one in rest["snapshots"]] == [3, 2, 1]
    assert (rest["cursor"], rest["list_complete"]) == (None, True)
    above = run(house.history.page(2, None, 2))
    assert ([one["sequence"] for one in above["snapshots"]], above["list_complete"]) == ([3, 4], False)
    with pytest.raises(Refusal, match="INVALID_QUERY"):
        run(house.history.page(2, first["cursor"], 2))
    with pytest.raises(Refusal, match="INVALID_CURSOR"):
        run(house.history.page(2, "x" * 22, None))


class GoneStore(MemoryStore):
    """A store that does not answer."""

    async def read(self, function: Any) -> Any:
        raise STORE_UNAVAILABLE("gone")


def test_the_key_log_says_when_it_cannot_be_read(house: House) -> None:
    house.store = GoneStore(house.clock)
    house.start()
    for reading in (house.history.latest(), house.history.page(None, None, None)):
        with pytest.raises(Refusal, match="KEY_TRANSPARENCY_UNAVAILABLE"):
            run(reading)


def test_snapshots_of_one_second_are_linked_and_have_names_of_their_own(house: House) -> None:
    run(house.history.snapshot())
    run(house.history.snapshot())
    first, second, third = house.snapshots()
    assert len({one["snapshot_id"] for one in (first, second, third)}) == 3
    assert second["prev_entry_hash_b64u"] == first["entry_hash_b64u"]
    assert third["prev_entry_hash_b64u"] == second["entry_hash_b64u"]


def test_log_time_never_falls_though_a_clock_does(house: House) -> None:
    run(house.history.snapshot())
    house.clock.move(-500)
    run(house.prepare(ACTOR, "token", None, "r"))
    assert house.snapshots()[-1]["generated_at"] == house.snapshots()[0]["generated_at"]
    assert house.log_report().intact


def test_the_log_is_refreshed_when_its_newest_entry_is_old(house: House) -> None:
    house.clock.move(RULES.snapshot_refresh_s - 1)
    assert run(house.schedule()).done == ()
    house.clock.move(1)
    assert run(house.schedule()).done == ("refreshed",)
    assert house.snapshots()[-1]["reason"] == "refresh"
    assert run(house.schedule()).done == ()


def test_verify_log_names_the_first_break(house: House) -> None:
    kid_made = run(house.prepare(ACTOR, "token", None, "r")).kid
    run(house.history.snapshot())
    snapshots, keys = house.snapshots(), [key_view(record) for record in house.records()]
    assert verify_log(snapshots, keys, publish_delay_s=600).intact
    changed = [snapshots[0], {**snapshots[1], "overlap_seconds": 1}, snapshots[2]]
    report = verify_log(changed, keys, publish_delay_s=600)
    assert (report.broken_at, report.why, report.last_sequence) == (2, "snapshot_hash", 1)
    assert verify_log([snapshots[0], snapshots[2]], keys, publish_delay_s=600).why == "sequence"
    with pytest.raises(UnreadableLog):
        verify_log([{"sequence": 1}], keys, publish_delay_s=600)
    with pytest.raises(UnreadableLog):
        verify_log(snapshots, [{"kid": kid_made}], publish_delay_s=600)


def test_an_entry_cannot_be_appended_without_a_statement_key() -> None:
    house = House()
    append = AppendSnapshot(house.vault, RULES)
    with pytest.raises(Refusal, match="SIGNING_NOT_CONFIGURED"):
        run(house.store.transact(lambda work: append(work, "manual", house.clock.now())))


def test_overlap_window_is_closed_while_one_key_stands() -> None:
    house = House()
    house.boot()
    assert not contract(key_state(house.records(), house.clock.now(), 3600))["overlap_window_open"]
