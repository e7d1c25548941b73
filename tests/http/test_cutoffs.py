"""Cut-offs: what they end, locks and lifting, dry runs, waiting for the next second (tokens.md §4.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.control_plane import ControlPlane
from tests.http.client import Answer
from tests.http.serving import MakeServer, Served
from tests.http.tokens import CANONICAL, LEGACY, canonical, control_token, exchange, introspect, legacy, request, token, unique

CUT = "/v1/revocations/cutoffs"


def cut(served: Served, dimension: str, value: str, **more: Any) -> Answer:
    """Cut off as the operator."""
    return served.operator.post(CUT, {"dimension": dimension, "value": value, "reason": "test", **more})


def test_answer_is_exactly_what_the_contract_says(dev: Served) -> None:
    run = unique("run")
    issued = [legacy(dev, run_id=run).ok() for _ in range(3)]
    body = cut(dev, "run_id", run).ok()
    assert body["cutoff_id"].startswith("cut_")
    assert body["not_before"] >= max(one["iat"] for one in issued)
    assert body == {"status": "cut_off", "cutoff_id": body["cutoff_id"], "sequence": body["sequence"], "dimension": "run_id", "value": run,
                    "not_before": body["not_before"], "locked": False, "live_tokens": 3}  # fmt: skip
    for one in issued:
        shown = introspect(dev, one["token"], run_id=run).json
        assert (shown["active"], shown["revoked"], shown["revoked_by_kind"]) == (False, True, "cutoff")
    record = dev.operator.get("/v1/revocations/events", limit=1).ok()["events"][0]["record"]
    expected = {"kind": "cutoff", "dimension": "run_id", "value": run, "not_before": body["not_before"], "sequence": body["sequence"]}
    assert expected.items() <= record.items()


@pytest.mark.parametrize(
    "dimension", ["owner_did", "controller_did", "agent_did", "chain", "client_id", "org_id", "mission_id", "run_id", "job_id"]
)
def test_every_dimension_ends_its_tokens_and_no_others(
    tiered: Served, control_plane: ControlPlane, api_tokens: Any, dimension: str
) -> None:
    org, client = unique("org"), unique("atk")
    caller = tiered.bearing(api_tokens.add(unique("ats"), "tokens:issue", org_id=org, name=client, cst_scopes=("proxy:*",)))
    chain = control_plane.chain()
    bound = {"mission_id": unique("m"), "run_id": unique("r"), "job_id": unique("j")}
    hit = caller.post(CANONICAL, request(**chain.members, **bound)).ok()
    spared = canonical(tiered, control_plane.chain()).ok()
    values = hit["claims"] | {"chain": f"{chain.controller_did} {chain.agent_did}"}
    assert cut(tiered, dimension, f" {values[dimension]} ").ok()["live_tokens"] == 1
    expect = {"run_id": bound["run_id"], "job_id": bound["job_id"]}
    assert introspect(tiered, hit["token"], **expect).ok()["revoked_by_kind"] == "cutoff"
    assert introspect(tiered, spared["token"]).ok()["active"] is True


@pytest.mark.parametrize("name", ["sub", "", "jti", "OWNER_DID", "__proto__", "kid"])
def test_other_dimensions_are_unknown(dev: Served, name: str) -> None:
    assert cut(dev, name, "x").refusal == (400, "CUTOFF_DIMENSION_UNKNOWN")


@pytest.mark.parametrize(
    "body",
    [
        {"dimension": "run_id", "value": "", "reason": "x"}, {"dimension": "run_id", "value": " ", "reason": "x"},
        {"dimension": "run_id", "value": "r", "reason": " "}, {"dimension": "run_id", "value": "r"}, {"dimension": "run_id", "reason": "x"},
        {"dimension": "owner_did", "value": "ana", "reason": "x"}, {"dimension": "chain", "value": "did:key:z1", "reason": "x"},
        {"dimension": "chain", "value": "did:key:z1 did:key:z2 did:key:z3", "reason": "x"}, {"dimension": "run_id", "value": "r",
        "reason": "x", "lock": 1},
        {"dimension": "run_id", "value": "r", "reason": "x", "more": 1},
    ],
)  # fmt: skip
def test_ill_formed_cut_off_is_refused(dev: Served, body: dict[str, Any]) -> None:
    assert dev.operator.post(CUT, body).refusal == (400, "INVALID_REQUEST")


def test_new_token_waits_for_the_next_second_and_lives(dev: Served) -> None:
    run = unique("run")
    before = token(dev, run_id=run)
    not_before = cut(dev, "run_id", run).ok()["not_before"]
    issued = legacy(dev, run_id=run).ok()
    assert issued["iat"] > not_before
    assert introspect(dev, issued["token"], run_id=run).ok()["active"] is True
    assert introspect(dev, before, run_id=run).json["revoked"] is True


def test_dry_run_tells_the_count_and_does_nothing(dev: Served) -> None:
    run = unique("run")
    text = token(dev, run_id=run)
    answer = dev.operator.post(f"{CUT}?dry_run=true", {"dimension": "run_id", "value": run, "reason": "x", "lock": True})
    assert answer.ok() == {"live_tokens": 1}
    assert introspect(dev, text, run_id=run).ok()["active"] is True
    assert legacy(dev, run_id=run).ok()
    assert dev.operator.post(f"{CUT}?dry_run=maybe", {"dimension": "run_id", "value": run, "reason": "x"}).refusal == (400, "INVALID_QUERY")


def test_lock_stops_issue_and_exchange_until_lifted_and_revives_nothing(dev: Served) -> None:
    mission = unique("m")
    old = token(dev, mission_id=mission)
    elsewhere = token(dev)
    body = cut(dev, "mission_id", mission, lock=True).ok()
    assert body["locked"] is True
    assert legacy(dev, mission_id=mission).refusal == (403, "SUBJECT_CUT_OFF")
    assert exchange(dev, elsewhere, mission_id=mission).oauth == (400, "unauthorized_client", "SUBJECT_CUT_OFF")
    lifted = dev.operator.call("DELETE", f"{CUT}/{body['cutoff_id']}")
    assert lifted.ok() == {"status": "lifted", "cutoff_id": body["cutoff_id"]}
    assert introspect(dev, old).ok()["revoked"] is True
    assert introspect(dev, legacy(dev, mission_id=mission).ok()["token"]).ok()["active"] is True
    assert dev.operator.call("DELETE", f"{CUT}/{body['cutoff_id']}").refusal == (404, "NOT_FOUND")


def test_lifting_what_is_not_there_is_not_found(dev: Served) -> None:
    assert dev.operator.call("DELETE", f"{CUT}/cut_nobody").refusal == (404, "NOT_FOUND")
    plain = cut(dev, "run_id", unique("run")).ok()["cutoff_id"]
    assert dev.operator.call("DELETE", f"{CUT}/{plain}").refusal == (404, "NOT_FOUND")
    assert dev.operator.call("GET", f"{CUT}/{plain}").refusal == (405, "METHOD_NOT_ALLOWED")


def test_organisation_cuts_within_its_reach_only(tiered: Served, control_plane: ControlPlane, api_tokens: Any) -> None:
    org, run = unique("org"), unique("run")
    secret = api_tokens.add(unique("ats"), "tokens:issue", org_id=org, name=unique("atk"), cst_scopes=("control:*", "proxy:*"))
    members = {**control_plane.chain().members, "aud": "https://clawscope.example", "scope": ["control:token:revoke"]}
    control = tiered.cst(tiered.bearing(secret).post(CANONICAL, members).ok()["token"])
    own = tiered.bearing(secret).post(LEGACY, request(run_id=run)).ok()["token"]
    foreign = token(tiered, run_id=run)
    body = control.post(CUT, {"dimension": "run_id", "value": run, "reason": "x", "lock": True}).ok()
    assert body["live_tokens"] == 1
    assert introspect(tiered, own, run_id=run).json["active"] is False
    assert introspect(tiered, foreign, run_id=run).ok()["active"] is True
    record = tiered.operator.get("/v1/revocations/events", limit=1).ok()["events"][0]["record"]
    assert record["org_id"] == org
    assert tiered.bearing(secret).post(LEGACY, request(run_id=run)).refusal == (403, "SUBJECT_CUT_OFF")
    assert legacy(tiered, run_id=run).status == 200
    other = cut(tiered, "run_id", unique("run"), lock=True).ok()["cutoff_id"]
    assert control.call("DELETE", f"{CUT}/{other}").refusal == (403, "REVOKE_NOT_ALLOWED")


def test_profile_v1_writes_cut_offs_of_clients_out_per_token(make_server: MakeServer, api_tokens: Any) -> None:
    served = make_server({"claim_profile": "v1"}, api_tokens=api_tokens)
    client = unique("atk")
    caller = served.bearing(api_tokens.add(unique("ats"), "tokens:issue", name=client, cst_scopes=("proxy:*",)))
    texts = [caller.post(LEGACY, request()).ok()["token"] for _ in range(3)]
    assert cut(served, "client_id", client).ok()["live_tokens"] == 3
    kinds = [event["record"]["kind"] for event in served.operator.get("/v1/revocations/events").ok()["events"]]
    assert sorted(kinds) == ["cutoff", "token", "token", "token"]
    assert all(introspect(served, text).ok()["revoked"] for text in texts)


def test_cut_off_needs_a_control_token_that_may_revoke(strict: Served, control_plane: ControlPlane) -> None:
    body = {"dimension": "run_id", "value": unique("run"), "reason": "x"}
    reader = strict.cst(control_token(strict, control_plane, "control:audit:read"))
    assert reader.post(CUT, body).refusal == (403, "TOKEN_INSUFFICIENT_SCOPE")
    assert strict.cst(control_token(strict, control_plane, "control:token:revoke")).post(CUT, body).status == 200
