"""Keys from the runbook's variables: what is read, what stops the start, what a reload may do (keys.md §2, §3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawscope.infra.config.loading import ConfigProblems
from clawscope.protocol import b64u
from tests.http.keys.conftest import Deployment
from tests.http.keys.desk import CONTRACT, DELAY_S, LATEST, Desk, key_of, kid_of, seed, x_of
from tests.http.keys.test_move_refusals import NON_CANONICAL, SMALL_ORDER
from tests.http.tokens import LEGACY, request

NOW = 1_800_000_000
RFC8037_SEED = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC8037_KID, RFC8037_HEX16 = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "21fe31dfa154a261"


def seeds(*names: str) -> str:
    """`SCOPE_SIGNING_KEYS_JSON` of named seeds."""
    return json.dumps([seed(name) for name in names])


def publics(*entries: tuple[str, int]) -> str:
    """`SCOPE_VERIFY_PUBLIC_KEYS_JSON` of named keys and their cut-offs."""
    return json.dumps([{"x": x_of(name), "not_after_unix": cut_off, "source_label": "former"} for name, cut_off in entries])


def test_one_seed_signs_under_its_thumbprint(deployment: Deployment, vectors: Path) -> None:
    assert RFC8037_SEED in (vectors / "jose_rfc_vectors.json").read_text()
    desk = deployment.start(SCOPE_SIGNING_KEY=RFC8037_SEED)
    contract = desk.see(CONTRACT)
    assert (contract["active_kid"], contract["signing_kids"], contract["accepted_kids"]) == (RFC8037_KID, [RFC8037_KID], [RFC8037_KID])
    assert desk.issue()["kid"] == RFC8037_KID
    desk.check()


def test_the_rule_of_the_existing_key_sets_names_keys_shortly(deployment: Deployment) -> None:
    desk = deployment.start(SCOPE_SIGNING_KEY=RFC8037_SEED, SCOPE_KID_RULE="sha256_hex16")
    assert desk.see(CONTRACT)["active_kid"] == RFC8037_HEX16
    token = desk.issue()
    assert (token["kid"], desk.verdict(token["token"])) == (RFC8037_HEX16, "active")


def test_a_64_byte_seed_must_hold_its_own_public_key(deployment: Deployment) -> None:
    whole = b64u.encode(b64u.decode(seed("a")) + key_of("a").public)
    assert deployment.start(SCOPE_SIGNING_KEY=whole).active() == kid_of("a")
    twisted = b64u.encode(b64u.decode(seed("a")) + key_of("b").public)
    with pytest.raises(ConfigProblems, match="signing_key"):
        deployment.start(SCOPE_SIGNING_KEY=twisted)


def test_the_list_wins_and_its_first_seed_signs_while_the_others_stand_by(deployment: Deployment) -> None:
    desk = deployment.start(SCOPE_SIGNING_KEY=seed("x"), SCOPE_SIGNING_KEYS_JSON=seeds("a", "b", "c"))
    listed = [kid_of(name) for name in "abc"]
    contract = desk.see(CONTRACT)
    assert contract["active_kid"] == listed[0]
    assert contract["signing_kids"] == contract["accepted_kids"] == desk.listed() == listed
    assert contract["prepared_kids"] == contract["verify_only_kids"] == []
    assert contract["overlap_window_open"] is True
    assert desk.states() == {listed[0]: "active", listed[1]: "prepared", listed[2]: "prepared"}
    assert desk.issue()["kid"] == listed[0]
    desk.check()


def test_a_named_kid_is_kept(deployment: Deployment) -> None:
    desk = deployment.start(SCOPE_SIGNING_KEYS_JSON=json.dumps([{"seed": seed("a"), "kid": "blue"}, {"seed": seed("b")}]))
    assert desk.listed() == ["blue", kid_of("b")]
    verify = json.dumps([{"x": x_of("v"), "not_after_unix": NOW + 9, "kid": "green"}])
    desk = deployment.start(SCOPE_SIGNING_KEYS_JSON=json.dumps([{"seed": seed("a"), "kid": "blue"}]), SCOPE_VERIFY_PUBLIC_KEYS_JSON=verify)
    assert desk.listed() == ["blue", "green"]


def test_verify_only_keys_are_accepted_to_their_cut_off(deployment: Deployment) -> None:
    variables = {"SCOPE_SIGNING_KEY": seed("a"), "SCOPE_VERIFY_PUBLIC_KEYS_JSON": publics(("old", NOW + 10), ("a", NOW + 10))}
    desk = deployment.start(**variables)
    assert desk.see(CONTRACT)["expiring_kids"] == [{"kid": kid_of("old"), "not_after_unix": NOW + 10}]
    assert desk.listed() == [kid_of("a"), kid_of("old")]
    desk.move(10)
    assert desk.listed() == [kid_of("a"), kid_of("old")]
    desk.move(1)
    assert desk.listed() == [kid_of("a")]
    desk.work()
    assert desk.states()[kid_of("old")] == "retired"
    desk.check()


BAD_ENTRIES: list[tuple[dict[str, str], list[str]]] = [
    (
        {
            "SCOPE_SIGNING_KEYS_JSON": json.dumps([seed("a"), "####", 7, {"seed": seed("b"), "kid": "a b"}, seed("a")]),
            "SCOPE_VERIFY_PUBLIC_KEYS_JSON": json.dumps(
                [{"x": SMALL_ORDER, "not_after_unix": 1}, {"x": NON_CANONICAL, "not_after_unix": 1}, {"x": x_of("v")}, "x"]
            ),
            "SCOPE_STATEMENT_KEY": "short",
        },
        ["signing_keys_json[1]", "signing_keys_json[2]", "signing_keys_json[3]", "verify_public_keys_json[0]",
         "verify_public_keys_json[1]", "verify_public_keys_json[2]", "verify_public_keys_json[3]", "statement_key", kid_of("a")],
    ),
    ({"SCOPE_SIGNING_KEYS_JSON": "[]"}, ["signing_keys_json"]),
    ({"SCOPE_SIGNING_KEYS_JSON": "{}", "SCOPE_SIGNING_KEY": seed("a")}, ["signing_keys_json"]),
    ({"SCOPE_SIGNING_KEY": seed("a")[:-4]}, ["signing_key"]),
    ({"SCOPE_SIGNING_KEY": seed("a"), "SCOPE_VERIFY_PUBLIC_KEYS_JSON": "nonsense"}, ["verify_public_keys_json"]),
    ({"SCOPE_SIGNING_KEY": seed("statement")}, [kid_of("statement")]),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "named"), BAD_ENTRIES)
def test_every_bad_entry_is_named_at_once_and_none_is_shown(deployment: Deployment, variables: dict[str, str], named: list[str]) -> None:
    with pytest.raises(ConfigProblems) as caught:
        deployment.start(**variables)
    text = "\n".join(caught.value.lines)
    for name in named:
        assert name in text
    for secret in (seed("a"), seed("b"), seed("statement"), SMALL_ORDER, "####"):
        assert secret not in text


def test_configured_keys_need_a_statement_key(deployment: Deployment) -> None:
    with pytest.raises(ConfigProblems, match="statement_key"):
        deployment.start(SCOPE_SIGNING_KEY=seed("a"), SCOPE_STATEMENT_KEY="")


def test_keys_by_hand_are_read_only_but_revocation_holds_over_the_configuration(deployment: Deployment) -> None:
    variables = {"SCOPE_SIGNING_KEYS_JSON": seeds("a", "b")}
    desk = deployment.start(**variables)
    body: dict[str, Any] = {"reason": "x"}
    moves = {"prepare": body, "rotate": body, f"{kid_of('b')}/activate": body, f"{kid_of('b')}/retire": body,
             "import": body | {"x": x_of("v"), "not_after_unix": NOW + 9}}  # fmt: skip
    for path, sent in moves.items():
        assert desk.post(f"/v1/keys/{path}", sent).refusal == (409, "KEYS_READ_ONLY")
    token = desk.issue()["token"]
    answer = desk.act(kid_of("a"), "revoke", "stolen").ok()
    assert (answer["replacement_kid"], answer["live_tokens_killed"]) == (kid_of("b"), 1)
    assert desk.verdict(token) == "TOKEN_KID_EXPIRED"
    again = deployment.start(**variables)
    assert again.states() == {kid_of("a"): "revoked", kid_of("b"): "active"}
    assert again.verdict(token) == "TOKEN_KID_EXPIRED"
    again.check()


def test_with_the_last_listed_key_revoked_nothing_is_configured(deployment: Deployment) -> None:
    desk = deployment.start(SCOPE_SIGNING_KEY=seed("a"))
    token = desk.issue()["token"]
    answer = desk.act(kid_of("a"), "revoke", "stolen").ok()
    assert answer.get("replacement_kid") is None
    assert desk.post(LEGACY, request()).refusal == (503, "SIGNING_NOT_CONFIGURED")
    for path in ("/v1/jwks", "/.well-known/jwks.json", CONTRACT, "/v1/did", "/.well-known/did.json"):
        refused = desk.served.anyone.get(path)
        assert refused.refusal == (503, "SIGNING_NOT_CONFIGURED"), path
        assert refused.headers["cache-control"] == "no-store"
        assert int(refused.headers["retry-after"]) <= 2
    assert desk.verdict(token) in ("TOKEN_KID_EXPIRED", "SIGNING_NOT_CONFIGURED")
    assert desk.see(LATEST)["active_kid"] is None
    assert desk.served.anyone.get("/ready").status == 503


def test_a_good_reload_is_followed_at_once(deployment: Deployment) -> None:
    desk = deployment.start(SCOPE_SIGNING_KEY=seed("a"))
    token = desk.issue()["token"]
    deployment.reload(desk, SCOPE_SIGNING_KEYS_JSON=seeds("b"), SCOPE_VERIFY_PUBLIC_KEYS_JSON=publics(("a", NOW + 3720)))
    assert desk.issue()["kid"] == kid_of("b")
    assert desk.verdict(token) == "active"
    assert desk.see(LATEST)["reason"] == "delay_waived"
    desk.check()


@pytest.mark.parametrize(
    "variables",
    [
        {"SCOPE_SIGNING_KEYS_JSON": json.dumps([seed("b"), "####"])},
        {"SCOPE_SIGNING_KEYS_JSON": seeds("b"), "SCOPE_VERIFY_PUBLIC_KEYS_JSON": json.dumps([{"x": x_of("v")}])},
        {"SCOPE_SIGNING_KEYS_JSON": json.dumps([{"seed": seed("b"), "kid": kid_of("a")}])},
        {"SCOPE_SIGNING_KEYS_JSON": json.dumps([{"seed": seed("a"), "kid": "another"}])},
    ],
)
def test_a_faulty_reload_changes_nothing_and_is_an_event(deployment: Deployment, variables: dict[str, str]) -> None:
    desk = deployment.start(SCOPE_SIGNING_KEY=seed("a"))
    before = (desk.keys(), desk.see(LATEST))
    deployment.reload(desk, **variables)
    assert (desk.keys(), desk.see(LATEST)) == before
    assert desk.issue()["kid"] == kid_of("a")
    (event,) = desk.events("keys_reload_refused")
    assert seed("b") not in json.dumps(event)
    assert "####" not in json.dumps(event)


def test_configured_keys_never_rotate_by_themselves(deployment: Deployment) -> None:
    desk = deployment.start({"keys.rotate_every_s": 1000}, SCOPE_SIGNING_KEYS_JSON=seeds("a", "b"))
    desk.pass_time(5000)
    assert desk.states() == {kid_of("a"): "active", kid_of("b"): "prepared"}


def open_longer_way(deployment: Deployment, *names: str) -> Desk:
    """Deployed with `allow_unpublished = false`."""
    return deployment.start({"keys.allow_unpublished": False}, SCOPE_SIGNING_KEYS_JSON=seeds(*names))


def test_without_waiver_an_unpublished_first_key_does_not_issue(deployment: Deployment) -> None:
    desk = open_longer_way(deployment, "a")
    token = desk.issue(ttl_sec=3600)["token"]
    desk = open_longer_way(deployment, "b")
    refused = desk.post(LEGACY, request())
    assert refused.refusal == (503, "SIGNING_NOT_READY")
    assert int(refused.headers["retry-after"]) >= 1
    contract = desk.see(CONTRACT)
    assert (contract["active_kid"], contract["prepared_kids"]) == (None, [{"kid": kid_of("b"), "activates_at_unix": NOW + DELAY_S}])
    assert desk.verdict(token) == "active"
    desk.pass_time(DELAY_S)
    assert desk.issue()["kid"] == kid_of("b")
    assert desk.verdict(token) == "active"
    desk.check()


def test_without_waiver_the_next_listed_key_signs_until_the_first_has_waited(deployment: Deployment) -> None:
    open_longer_way(deployment, "a")
    desk = open_longer_way(deployment, "b", "a")
    assert desk.issue()["kid"] == kid_of("a")
    desk.pass_time(DELAY_S - 1)
    assert desk.issue()["kid"] == kid_of("a")
    desk.pass_time(1)
    assert desk.issue()["kid"] == kid_of("b")
    assert "delay_waived" not in {one["reason"] for one in desk.history()}
    desk.check()


def test_without_waiver_new_seed_second_then_first_after_the_delay(deployment: Deployment) -> None:
    open_longer_way(deployment, "a")
    desk = open_longer_way(deployment, "a", "b")
    assert desk.issue()["kid"] == kid_of("a")
    desk.pass_time(DELAY_S)
    desk = open_longer_way(deployment, "b", "a")
    assert desk.issue()["kid"] == kid_of("b")
    desk.check()


def test_the_very_first_key_signs_at_once_even_without_waiver(deployment: Deployment) -> None:
    assert open_longer_way(deployment, "a").issue()["kid"] == kid_of("a")
