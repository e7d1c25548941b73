"""Attenuation: a child only narrows (tokens.md §9)."""

from __future__ import annotations

from typing import Any

import pytest

from clawscope.kernel.clock import ManualClock
from tests.fakes.control_plane import ControlPlane
from tests.http.serving import MakeServer, Served
from tests.http.test_issue_canonical import setting
from tests.http.tokens import ABSENT, PIN, canonical, exchange, introspect, legacy, request, revoke, signed, token, unique

ACCESS = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture(scope="module")
def still(make_server: MakeServer) -> Served:
    """A server whose clock stands."""
    return make_server(clock=ManualClock())


def claims_of(served: Served, text: str, **expect: Any) -> dict[str, Any]:
    """The claims of a live token."""
    body = introspect(served, text, **expect).ok()
    assert body["active"] is True
    return dict(body)


def test_answer_is_exactly_what_the_contract_says(dev: Served) -> None:
    root = legacy(
        dev, scope=["proxy:call", "proxy:stop"], run_id="r", mission_id="m", spend_cap=2, policy_hash_b64u=PIN, owner_ref="o"
    ).ok()
    answer = exchange(dev, root["token"])
    body = answer.ok()
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert set(body) == {
        "access_token",
        "issued_token_type",
        "token_type",
        "expires_in",
        "scope",
        "token_hash",
        "token_scope_hash_b64u",
        "jti",
    }
    assert (body["issued_token_type"], body["token_type"], body["scope"]) == (
        "urn:ietf:params:oauth:token-type:jwt",
        "Bearer",
        "proxy:call proxy:stop",
    )
    child = claims_of(dev, body["access_token"], run_id="r")
    for name, value in root["claims"].items():
        assert child[name] == value or name in ("iat", "exp", "jti", "nonce"), name
    assert child["lineage"] == [root["jti"]]
    assert (child["jti"], child["token_hash"]) == (body["jti"], body["token_hash"])
    assert child["jti"] != root["jti"]


def test_child_narrows_every_member(still: Served) -> None:
    root = token(still, scope=["proxy:call", "proxy:stop"], aud=["https://a.example", "https://b.example"], spend_cap=2, ttl_sec=600)
    asked = {"scope": "proxy:stop", "audience": "https://b.example", "expires_in": "60", "spend_cap": "0.5", "run_id": "r", "job_id": "j",
    "mission_id": "m",
             "policy_hash_b64u": PIN, "subject_token_type": ACCESS}  # fmt: skip
    child = claims_of(still, exchange(still, root, **asked).ok()["access_token"], run_id="r", job_id="j")
    expected = {
        "scope": ["proxy:stop"],
        "aud": "https://b.example",
        "spend_cap": 0.5,
        "run_id": "r",
        "job_id": "j",
        "mission_id": "m",
        "policy_hash_b64u": PIN,
    }
    assert expected.items() <= child.items()
    assert child["exp"] - child["iat"] == 60
    assert exchange(still, root, resource=["https://a.example", "https://b.example"]).status == 200


ROOT = {
    "scope": ["proxy:call"],
    "aud": ["https://a.example"],
    "spend_cap": 1,
    "run_id": "r",
    "job_id": "j",
    "mission_id": "m",
    "policy_hash_b64u": PIN,
}
WIDER: list[tuple[dict[str, Any], str, str]] = [
    ({"scope": "proxy:call proxy:stop"}, "invalid_scope", "EXCHANGE_SCOPE_WIDENED"), ({"scope": "proxy:*"}, "invalid_scope",
    "EXCHANGE_SCOPE_WIDENED"),
    ({"scope": "*"}, "invalid_scope", "EXCHANGE_SCOPE_WIDENED"), ({"scope": "proxy:c*"}, "invalid_scope", "SCOPE_INVALID"),
    ({"audience": "https://b.example"}, "invalid_target", "EXCHANGE_AUDIENCE_WIDENED"),
    ({"audience": ["https://a.example", "https://b.example"]}, "invalid_target", "EXCHANGE_AUDIENCE_WIDENED"),
    ({"resource": "https://b.example"}, "invalid_target", "EXCHANGE_AUDIENCE_WIDENED"), ({"expires_in": "601"}, "invalid_request",
    "EXCHANGE_TTL_WIDENED"),
    ({"expires_in": "999999999999"}, "invalid_request", "EXCHANGE_TTL_WIDENED"), ({"expires_in": "0"}, "invalid_request", "INVALID_TTL"),
    ({"spend_cap": "1.000001"}, "invalid_request", "EXCHANGE_SPEND_CAP_WIDENED"), ({"spend_cap": "-1"}, "invalid_request",
    "SPEND_CAP_INVALID"),
    ({"spend_cap": "1e9"}, "invalid_request", "SPEND_CAP_INVALID"), ({"run_id": "r2"}, "invalid_request", "EXCHANGE_BINDING_CHANGED"),
    ({"job_id": "j2"}, "invalid_request", "EXCHANGE_BINDING_CHANGED"), ({"mission_id": "m2"}, "invalid_request",
    "EXCHANGE_BINDING_CHANGED"),
    ({"policy_hash_b64u": "B" * 42 + "A"}, "invalid_request", "EXCHANGE_BINDING_CHANGED"),
    ({"policy_hash_b64u": "x"}, "invalid_request", "POLICY_HASH_INVALID"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "error", "code"), WIDER, ids=[f"{next(iter(case[0]))}-{n}" for n, case in enumerate(WIDER)])
def test_wider_child_is_refused(still: Served, asked: dict[str, Any], error: str, code: str) -> None:
    assert exchange(still, token(still, ttl_sec=600, **ROOT), **asked).oauth == (400, error, code)


def test_limits_are_inclusive(still: Served) -> None:
    root = token(still, ttl_sec=600, **ROOT)
    asked = {"scope": "proxy:call", "audience": "https://a.example", "expires_in": "600", "spend_cap": "1", "run_id": "r", "job_id": "j",
    "mission_id": "m",
             "policy_hash_b64u": PIN}  # fmt: skip
    assert exchange(still, root, **asked).ok()["expires_in"] == 600


def test_absent_lifetime_is_the_default_or_what_is_left(still: Served) -> None:
    assert exchange(still, token(still, ttl_sec=3600)).ok()["expires_in"] == 600
    assert exchange(still, token(still, ttl_sec=30)).ok()["expires_in"] == 30


def test_dead_subjects_and_actors_keep_their_codes(dev: Served) -> None:
    now = dev.clock.now()
    good = token(dev, may_act={"sub": ["did:key:zAgent"]})
    dead = token(dev)
    revoke(dev, token=dead).ok()
    cases = {
        "a.b.c": "TOKEN_MALFORMED", dead: "TOKEN_REVOKED", signed(dev, iat=now - 999, exp=now - 99): "TOKEN_EXPIRED", signed(dev,
        surprise=1): "TOKEN_INVALID_CLAIMS",
        signed(dev, iat=now + 99, exp=now + 120): "TOKEN_NOT_YET_VALID",
    }  # fmt: skip
    for text, code in cases.items():
        assert exchange(dev, text).oauth == (400, "invalid_request", code)
        assert exchange(dev, good, actor_token=text, actor_token_type=ACCESS).oauth == (400, "invalid_request", code)


def test_actor_must_be_named_and_only_the_outermost_acts(dev: Served) -> None:
    root = token(dev, may_act={"sub": ["sa:one", "sa:two"]})
    first, second, third = (token(dev, sub=f"sa:{name}") for name in ("one", "two", "three"))
    refused = exchange(dev, root, actor_token=third, actor_token_type=ACCESS)
    assert refused.oauth == (400, "invalid_request", "EXCHANGE_ACTOR_NOT_ALLOWED")
    assert exchange(dev, token(dev), actor_token=first, actor_token_type=ACCESS).oauth[2] == "EXCHANGE_ACTOR_NOT_ALLOWED"
    child = exchange(dev, root, actor_token=first, actor_token_type=ACCESS).ok()["access_token"]
    assert claims_of(dev, child)["act"] == {"sub": "sa:one"}
    grandchild = exchange(dev, child, actor_token=second, actor_token_type=ACCESS).ok()["access_token"]
    assert claims_of(dev, grandchild)["act"] == {"sub": "sa:two", "act": {"sub": "sa:one"}}
    assert claims_of(dev, grandchild)["sub"] == "did:key:zAgent"


def test_lineage_is_eight_deep_and_no_deeper(dev: Served, make_server: MakeServer) -> None:
    text = token(dev, may_act={"sub": ["did:key:zAgent"]})
    for depth in range(1, 9):
        text = exchange(dev, text).ok()["access_token"]
        assert len(claims_of(dev, text)["lineage"]) == depth
    assert exchange(dev, text).oauth == (400, "invalid_request", "EXCHANGE_DEPTH_EXCEEDED")
    shallow = make_server({"max_exchange_depth": 1})
    child = exchange(shallow, token(shallow)).ok()["access_token"]
    assert exchange(shallow, child).oauth == (400, "invalid_request", "EXCHANGE_DEPTH_EXCEEDED")


def test_children_are_counted(make_server: MakeServer) -> None:
    served = make_server({"max_children_per_token": 3})
    root = token(served)
    children = [exchange(served, root).ok()["access_token"] for _ in range(3)]
    assert exchange(served, root).oauth == (400, "invalid_request", "EXCHANGE_LIMIT")
    assert exchange(served, children[0]).status == 200


def test_ancestor_revoked_kills_all_below(dev: Served) -> None:
    root = token(dev)
    child = exchange(dev, root).ok()["access_token"]
    grandchild = exchange(dev, child).ok()["access_token"]
    revoke(dev, token=root).ok()
    for text in (child, grandchild):
        assert introspect(dev, text).ok()["revoked_by_kind"] == "ancestor"
        assert exchange(dev, text).oauth == (400, "invalid_request", "TOKEN_REVOKED")


def test_sensitive_scope_re_reads_the_chain(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    root = str(canonical(dev, chain, scope=["control:token:revoke", "proxy:call"]).ok()["token"])
    assert exchange(dev, root).status == 200
    control_plane.serve(chain, setting("chain", "active", value=False))
    assert exchange(dev, root).oauth == (400, "invalid_grant", "CONTROL_CHAIN_INACTIVE")
    assert exchange(dev, root, scope="proxy:call").status == 200
    control_plane.script(chain, 500, b"{}")
    assert exchange(dev, root).oauth == (503, "temporarily_unavailable", "CONTROL_CHAIN_LOOKUP_FAILED")


def test_todays_tier_applies(make_server: MakeServer, policy_text: str, tmp_path: Any) -> None:
    path = tmp_path / "tiers.json"
    path.write_text(policy_text)
    served = make_server({"policy_file": str(path)})
    root = token(served, scope=["proxy:call", "proxy:stop"])
    path.write_text(
        policy_text.replace(
            '"max_ttl_seconds": 3600, "allowed_scope_prefixes": ["proxy:"',
            '"max_ttl_seconds": 3600, "allowed_scope_prefixes": ["proxy:call"',
        )
    )
    assert exchange(served, root).oauth == (400, "invalid_scope", "SCOPE_NOT_ALLOWED")
    assert exchange(served, root, scope="proxy:call").status == 200


@pytest.mark.parametrize(
    ("form", "error", "code"),
    [
        ({"subject_token": ABSENT}, "invalid_request", "INVALID_REQUEST"), ({"subject_token_type": ABSENT}, "invalid_request",
        "INVALID_REQUEST"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "unsupported_token_type", "UNSUPPORTED_TOKEN_TYPE"),
        ({"requested_token_type": "urn:x"}, "unsupported_token_type", "UNSUPPORTED_TOKEN_TYPE"), ({"actor_token_type": ACCESS},
        "invalid_request", "INVALID_REQUEST"),
        ({"agent_did": "did:key:z1"}, "invalid_request", "INVALID_REQUEST"), ({"surprise": "1"}, "invalid_request", "INVALID_REQUEST"),
        ({"grant_type": "password"}, "unsupported_grant_type", "UNSUPPORTED_GRANT_TYPE"), ({"grant_type": ABSENT}, "invalid_request",
        "INVALID_REQUEST"),
        ({"expires_in": "1.5"}, "invalid_request", "INVALID_TTL"), ({"expires_in": "-1"}, "invalid_request", "INVALID_TTL"),
        ({"run_id": "x" * 129}, "invalid_request", "INVALID_REQUEST"), ({"scope": ["proxy:call", "proxy:call"]}, "invalid_request",
        "INVALID_REQUEST"),
    ],
)  # fmt: skip
def test_ill_formed_form_is_refused(dev: Served, form: dict[str, Any], error: str, code: str) -> None:
    assert exchange(dev, token(dev), **form).oauth == (400, error, code)


def test_bad_client_beside_a_good_subject_is_refused(dev: Served) -> None:
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": token(dev), "subject_token_type": ACCESS}
    answer = dev.bearing("op_wrong_wrong_wrong_wrong").call("POST", "/oauth2/token", form=form)
    assert answer.oauth == (401, "invalid_client", "UNAUTHORIZED")
    assert answer.headers["www-authenticate"]
    assert dev.operator.call("POST", "/oauth2/token", form=form).status == 200


def test_cut_off_waits_for_the_next_second_here_too(dev: Served) -> None:
    run = unique("run")
    root = token(dev)
    dev.operator.post("/v1/revocations/cutoffs", {"dimension": "run_id", "value": run, "reason": "x"}).ok()
    child = exchange(dev, root, run_id=run).ok()["access_token"]
    assert claims_of(dev, child, run_id=run)["run_id"] == run
    assert dev.operator.post("/v1/tokens/issue", request(run_id=run)).status == 200
