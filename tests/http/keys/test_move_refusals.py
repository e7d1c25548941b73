"""What is refused when keys are moved, and the event each move and each refusal leaves (keys.md §1, §2, §8)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clawscope.infra.config.loading import ConfigProblems
from clawscope.protocol import b64u
from tests.http.keys.conftest import OpenDesk
from tests.http.keys.desk import DELAY_S, Desk, kid_of, x_of
from tests.http.serving import MakeServer

SMALL_ORDER = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
NON_CANONICAL = "7v________________________________________8"
MOVES = ("prepare", "rotate", "k/activate", "k/retire", "k/revoke")


@pytest.fixture(scope="module")
def shared(open_desk: OpenDesk) -> Desk:
    """A desk for refusals, which change nothing."""
    return open_desk()


@pytest.mark.parametrize("path", MOVES)
@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " \t"}, {"reason": 1}, {"reason": None}, {"reason": "x", "more": 1}])
def test_a_reason_is_mandatory(shared: Desk, path: str, body: Any) -> None:
    path = path.replace("k/", f"{shared.active()}/")
    assert shared.post(f"/v1/keys/{path}", body).refusal == (400, "INVALID_REQUEST")
    assert list(shared.states().values()) == ["active"]


@pytest.mark.parametrize("kid", ["", "a b", "ä", "k" * 65, "a.b", "a/b"])
def test_a_kid_nobody_may_choose(shared: Desk, kid: str) -> None:
    assert shared.post("/v1/keys/prepare", {"reason": "x", "kid": kid}).refusal == (400, "KEY_INVALID")
    assert shared.post("/v1/keys/prepare?dry_run=true", {"reason": "x", "kid": kid}).refusal == (400, "KEY_INVALID")


@pytest.mark.parametrize("x", ["", "####", "AAAA", SMALL_ORDER, NON_CANONICAL, "A" * 43, "A" * 44, x_of("a") + "=", x_of("a")[:-1] + "!"])
def test_inadmissible_public_keys_are_refused(shared: Desk, x: str) -> None:
    body = {"x": x, "not_after_unix": shared.clock.now() + 9, "reason": "x"}
    assert shared.post("/v1/keys/import", body).refusal == (400, "KEY_INVALID")


def test_a_kid_or_key_already_known_is_taken(shared: Desk) -> None:
    for path in ("/v1/keys/prepare", "/v1/keys/prepare?dry_run=true"):
        assert shared.post(path, {"reason": "x", "kid": shared.active()}).refusal == (409, "KID_TAKEN")
    own = shared.keys()[shared.active()]["x"]
    body = {"x": own, "not_after_unix": shared.clock.now() + 9, "reason": "x", "kid": "other"}
    assert shared.post("/v1/keys/import", body).refusal == (409, "KID_TAKEN")


@pytest.mark.parametrize("verb", ["activate", "retire", "revoke"])
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_a_kid_nobody_knows_is_not_found(shared: Desk, verb: str, query: str) -> None:
    assert shared.post(f"/v1/keys/nobody/{verb}{query}", {"reason": "x"}).refusal == (404, "KEY_NOT_FOUND")


@pytest.mark.parametrize("purpose", ["checkpoint", "agent"])
def test_keys_of_other_parts_are_not_made_here(shared: Desk, purpose: str) -> None:
    assert shared.post("/v1/keys/prepare", {"reason": "x", "purpose": purpose}).refusal == (400, "KEY_INVALID")


def test_purposes_and_parameters_nobody_knows_are_refused(shared: Desk) -> None:
    assert shared.post("/v1/keys/prepare", {"reason": "x", "purpose": "love"}).refusal == (400, "INVALID_REQUEST")
    assert shared.served.operator.get("/v1/keys", purpose="love").refusal == (400, "INVALID_QUERY")
    assert shared.served.operator.get("/v1/keys", state="active").refusal == (400, "INVALID_QUERY")
    assert shared.post("/v1/keys/prepare?dry_run=perhaps", {"reason": "x"}).refusal == (400, "INVALID_QUERY")
    assert shared.served.operator.call("PUT", "/v1/keys/prepare").refusal == (405, "METHOD_NOT_ALLOWED")


def test_seeds_show_in_no_answer_and_not_in_the_store(desk: Desk) -> None:
    desk.prepare()
    for path in ("/v1/keys", "/v1/jwks", "/v1/jwks/statements", "/v1/did", "/v1/keys/transparency/latest"):
        text = desk.served.operator.get(path).raw
        assert b'"d"' not in text
        assert b"sealed" not in text
    _, key = desk.served.signer
    stored = b"".join(path.read_bytes() for path in desk.served.data.glob("clawscope.db*"))
    assert desk.served.signer[0].encode() in stored
    own_seed = key._secret[:32]
    assert own_seed not in stored
    assert b64u.encode(own_seed).encode() not in stored


def test_every_move_leaves_its_event(desk: Desk) -> None:
    kid, former = desk.changed()
    desk.act(desk.prepare(kid="abandoned"), "retire", "no need").ok()
    sequence = desk.act(former, "revoke", "stolen").ok()["sequence"]
    found = {(one["name"], one["kid"]): one for one in desk.events() if "to_state" in one and one.get("actor") == "operator:dev"}
    steps = {
        ("key_prepared", kid): (None, "prepared"),
        ("key_activated", kid): ("prepared", "active"),
        ("key_verify_only", former): ("active", "verify_only"),
        ("key_prepared", "abandoned"): (None, "prepared"),
        ("key_retired", "abandoned"): ("prepared", "retired"),
        ("key_revoked", former): ("verify_only", "revoked"),
    }
    assert {key: (one.get("from_state"), one["to_state"]) for key, one in found.items()} == steps
    assert found["key_verify_only", former]["not_after_unix"] == desk.keys()[former]["not_after_unix"]
    assert {one["reason"] for one in found.values()} == {"planned", "no need", "stolen"}
    assert {one["purpose"] for one in found.values()} == {"token"}
    assert found["key_revoked", former]["sequence"] == sequence


def test_every_move_event_says_at_which_point_of_the_log(desk: Desk) -> None:
    desk.changed()
    moves = [one for one in desk.events("key_prepared", "key_activated", "key_verify_only") if one["actor"] == "operator:dev"]
    assert [one.get("sequence") for one in moves] == [2, 3, 3]


def test_every_refused_move_is_an_event_with_its_true_code(desk: Desk) -> None:
    kid = desk.prepare()
    desk.act(kid, "activate", "too eager")
    desk.act("nobody", "revoke", "a guess")
    desk.act(desk.active(), "retire", "a mistake")
    desk.post("/v1/keys/prepare", {"reason": "again", "kid": kid})
    refused = [(one["code"], one["reason"], one["actor"]) for one in desk.events("key_move_refused")]
    assert refused == [
        ("KEY_NOT_READY", "too eager", "operator:dev"),
        ("KEY_NOT_FOUND", "a guess", "operator:dev"),
        ("KEY_STATE_CONFLICT", "a mistake", "operator:dev"),
        ("KID_TAKEN", "again", "operator:dev"),
    ]
    assert [one["kid"] for one in desk.events("key_move_refused")] == [kid, "nobody", desk.active(), kid]


@pytest.mark.parametrize(("path", "body", "code"), [("prepare", {"kid": "a b"}, "KEY_INVALID"), ("import", {"x": "?"}, "KEY_INVALID")])
def test_refused_material_is_an_event_too(desk: Desk, path: str, body: dict[str, Any], code: str) -> None:
    more = {"not_after_unix": desk.clock.now() + 9} if path == "import" else {}
    assert desk.post(f"/v1/keys/{path}", {"reason": "x", **body, **more}).refusal == (400, code)
    assert [one["code"] for one in desk.events() if "code" in one] == [code]


def test_of_many_simultaneous_moves_one_wins(desk: Desk) -> None:
    kids = [desk.prepare() for _ in range(4)]
    desk.move(DELAY_S)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda turn: desk.act(kids[0], ("activate", "retire")[turn % 2]), range(8)))
        rotations = list(pool.map(lambda _: desk.rotate(), range(6)))
    assert sorted(one.status for one in answers) == [200] + [409] * 7
    assert {one.refusal[1] for one in answers if one.status == 409} == {"KEY_STATE_CONFLICT"}
    assert sorted(one.status for one in rotations) == [202] + [409] * 5
    assert list(desk.states().values()).count("active") == 1
    desk.check()


def test_a_reason_is_kept_bounded(desk: Desk) -> None:
    kid = desk.prepare(reason="r" * 400)
    assert desk.keys()[kid]["reason"] == "r" * 256


@pytest.mark.parametrize(
    "times", [{"keys.publish_delay_s": 359}, {"keys.jwks_max_age_s": 901, "keys.publish_delay_s": 961}, {"keys.overlap_s": 1199}]
)
def test_a_start_with_delays_readers_cannot_keep_up_with_is_refused(make_server: MakeServer, times: dict[str, int]) -> None:
    with pytest.raises(ConfigProblems, match=r"publish_delay_s|jwks_max_age_s"):
        make_server(times)


def test_a_start_with_the_shortest_allowed_delays_stands(open_desk: OpenDesk) -> None:
    desk = open_desk({"keys.publish_delay_s": 360, "keys.overlap_s": 1200})
    assert desk.post("/v1/keys/prepare", {"reason": "x"}).ok(201)["activatable_at"] == desk.clock.now() + 360


def test_managed_keys_need_a_master_key(make_server: MakeServer) -> None:
    with pytest.raises(ConfigProblems, match="master_key"):
        make_server({"keys.master_key": None})


def test_kids_follow_the_rule_of_the_settings(open_desk: OpenDesk) -> None:
    assert len(open_desk({"keys.kid_rule": "sha256_hex16"}).active()) == 16
    assert len(open_desk().active()) == len(kid_of("any")) == 43
