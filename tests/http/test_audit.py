"""Audit: lists, filters, bundles that verify offline (tokens.md §6)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from clawscope.kernel.clock import ManualClock
from clawscope.protocol.audit_bundle import check_file, check_page
from tests.fakes.control_plane import ControlPlane
from tests.http.serving import MakeServer, Served
from tests.http.tokens import canonical, exchange, legacy, revoke, token, unique

AUDIT, BUNDLE = "/v1/audit/issuance", "/v1/audit/bundle"
START = 1_820_000_000


def records(served: Served, **filters: Any) -> list[dict[str, Any]]:
    """The records of one page."""
    return [event["record"] for event in served.operator.get(AUDIT, **filters).ok()["events"]]


def test_row_holds_every_claim_but_the_nonce_and_who_stood_behind_it(dev: Served, control_plane: ControlPlane) -> None:
    chain = control_plane.chain()
    answer = canonical(dev, chain, run_id=unique("run"), evidence_required=["ticket"])
    issued = answer.ok()
    event = dev.operator.get(AUDIT, token_hash=issued["token_hash"]).ok()["events"][0]
    row = event["record"]
    claims = {name: value for name, value in issued["claims"].items() if name != "nonce"}
    assert claims.items() <= row.items()
    assert "nonce" not in row
    rest = {name: value for name, value in row.items() if name not in claims}
    assert rest == {
        "sequence": row["sequence"], "token_hash": issued["token_hash"], "issued_at": issued["iat"], "issued_at_iso": row["issued_at_iso"],
        "kid": issued["kid"], "policy_version": issued["policy_version"], "policy_tier": "default", "chain_verified": True,
        "issued_by": "operator:dev", "route": "POST /v1/tokens/issue/canonical", "evidence_required": ["ticket"],
        "request_id": answer.headers["x-clawscope-request-id"],
    }  # fmt: skip
    assert event["key"] == f"events:issuance:{9_999_999_999 - issued['iat']:010d}:{issued['token_hash']}"


def test_child_rows_name_their_parent(dev: Served) -> None:
    root = legacy(dev).ok()
    child = exchange(dev, root["token"]).ok()
    row = records(dev, jti=child["jti"])[0]
    assert (row["parent_jti"], row["lineage"], row["route"]) == (root["jti"], [root["jti"]], "POST /oauth2/token")


FILTERS = (
    "token_hash",
    "jti",
    "sub",
    "owner_did",
    "agent_did",
    "controller_did",
    "mission_id",
    "run_id",
    "job_id",
    "kid",
    "issued_by",
    "token_lane",
)


def test_every_filter_finds_its_row_and_no_other(make_server: MakeServer, control_plane: ControlPlane) -> None:
    served = make_server()
    chain = control_plane.chain()
    wanted = canonical(served, chain, mission_id="m", run_id="r", job_id="j").ok()
    token(served)
    row = records(served, token_hash=wanted["token_hash"])[0]
    for name in FILTERS:
        found = records(served, **{name: row[name]})
        assert row in found
        assert len(found) == (2 if name in ("kid", "issued_by") else 1), name
        assert records(served, **{name: "nobody"}) == []
    assert len(records(served, mission_id="m", run_id="r", token_lane="legacy")) == 0


def test_client_filter_finds_what_an_api_token_issued(tiered: Served, api_tokens: Any) -> None:
    client = unique("atk")
    secret = api_tokens.add(unique("ats"), "tokens:issue", name=client, cst_scopes=("proxy:*",))
    body = tiered.bearing(secret).post("/v1/tokens/issue", {"sub": "sa:x", "aud": "a", "scope": ["proxy:call"]}).ok()
    row = records(tiered, client_id=client)[0]
    assert (row["jti"], row["org_id"], row["issued_by"]) == (body["jti"], "org_1", f"api_token:{client}")


def test_times_are_half_open_and_cursors_belong_to_their_filters(make_server: MakeServer) -> None:
    served = make_server(clock=ManualClock(START))
    for _ in range(5):
        token(served)
        served.clock.move(10)
    ats = [row["issued_at"] for row in records(served, _from=START + 10, to=START + 30)]
    assert ats == [START + 20, START + 10]
    assert records(served, _from=START + 41) == []
    assert len(records(served, to=START + 1)) == 1
    page = served.operator.get(AUDIT, limit=2, _from=START).ok()
    assert page["list_complete"] is False
    assert served.operator.get(AUDIT, limit=2, cursor=page["cursor"]).refusal == (400, "INVALID_CURSOR")
    following = served.operator.get(AUDIT, limit=2, _from=START, cursor=page["cursor"]).ok()
    assert [event["record"]["issued_at"] for event in following["events"]] == [START + 20, START + 10]
    for bad in ({"_from": "yesterday"}, {"to": 1.5}, {"token": "x"}):
        assert served.operator.get(AUDIT, **bad).refusal == (400, "INVALID_QUERY")


@pytest.fixture(scope="module")
def kept(make_server: MakeServer) -> Served:
    """A server with five issuances, two revocations, one cut-off, no approval."""
    served = make_server(clock=ManualClock(START))
    texts = []
    for _ in range(5):
        texts.append(token(served, run_id="r"))
        served.clock.move(10)
    for text in texts[:2]:
        revoke(served, token=text, reason="why").ok()
    served.operator.post("/v1/revocations/cutoffs", {"dimension": "run_id", "value": "r", "reason": "all"}).ok()
    return served


def lines(kept: Served, **params: Any) -> list[bytes]:
    """An NDJSON bundle, line by line."""
    answer = kept.operator.get(BUNDLE, format="ndjson", **params)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"].startswith("attachment")
    return answer.raw.splitlines(keepends=True)


def test_ndjson_bundle_verifies_offline(kept: Served) -> None:
    found = lines(kept)
    header, trailer = json.loads(found[0]), json.loads(found[-1])
    assert (header["kind"], header["bundle_version"], header["issuer"], header["filters"]) == (
        "header",
        "1",
        "https://clawscope.example",
        {},
    )
    assert header["bundle_id"].startswith("aud_")
    assert header["through"] == {"issuance": 5, "revocations": 3, "approvals": 0} or header["through"] == {"issuance": 5, "revocations": 3}
    assert trailer["rows"] == {"issuance": 5, "revocations": 3, "approvals": 0}
    assert trailer["sha256_hex"] == hashlib.sha256(b"".join(found[:-1])).hexdigest()
    report = check_file(found, kept.statement_keys)
    assert report.good
    kinds = [json.loads(line)["kind"] for line in found[1:-1]]
    assert kinds == ["issuance"] * 5 + ["revocation"] * 3
    assert [json.loads(line)["sequence"] for line in found[1:6]] == [1, 2, 3, 4, 5]


def test_changed_missing_or_added_lines_are_found(kept: Served) -> None:
    found = lines(kept)
    keys = kept.statement_keys
    damaged = {
        "counts": found[:2] + found[3:], "trailer_missing": found[:-1], "row_after_trailer": [*found, found[1]], "header": found[1:],
        "sequence": [found[0], found[2], found[1], *found[3:]], "sha256": [found[0], found[1].replace(b'"legacy"', b'"legacx"'),
        *found[2:]],
    }  # fmt: skip
    for why, broken in damaged.items():
        assert check_file(broken, keys).why == why
    assert check_file(found, {}).why == "signer"


def test_filtered_bundle_holds_what_the_filter_says(kept: Served) -> None:
    found = lines(kept, _from=START + 10, to=START + 30)
    rows = [json.loads(line) for line in found[1:-1]]
    assert [row["issued_at"] for row in rows if row["kind"] == "issuance"] == [START + 10, START + 20]
    assert [row for row in rows if row["kind"] == "revocation"] == []
    assert json.loads(found[0])["filters"] == {"from": START + 10, "to": START + 30}
    assert check_file(found, kept.statement_keys).good


def test_json_page_is_signed_and_pages_each_list(kept: Served) -> None:
    page = kept.operator.get(BUNDLE, limit=2).ok()
    assert set(page) == {"generated_at", "issuance", "revocations", "approvals", "checksum_b64u", "signer_kid", "signature_b64u"}
    assert page["generated_at"].endswith("Z")
    public = kept.statement_keys[page["signer_kid"]]
    assert check_page(page, public)
    assert not check_page(page | {"generated_at": "2020-01-01T00:00:00.000Z"}, public)
    more = kept.operator.get(
        BUNDLE, limit=2, cursor_issuance=page["issuance"]["cursor"], cursor_revocations=page["revocations"]["cursor"]
    ).ok()
    assert [event["record"]["sequence"] for event in more["issuance"]["events"]] == [3, 2]
    assert [event["record"]["sequence"] for event in more["revocations"]["events"]] == [1]
    assert more["revocations"]["list_complete"] is True
    assert kept.operator.get(BUNDLE, cursor_issuance=page["revocations"]["cursor"]).refusal == (400, "INVALID_CURSOR")
    assert kept.operator.get(BUNDLE, format="xml").refusal == (400, "INVALID_QUERY")


def test_fault_17_rows_are_committed_before_the_token_leaves_and_can_be_searched(dev: Served) -> None:
    for _ in range(5):
        run = unique("run")
        issued = legacy(dev, run_id=run).ok()
        assert [row["jti"] for row in records(dev, run_id=run)] == [issued["jti"]]


def test_approval_list_is_empty_and_complete_at_first(make_server: MakeServer) -> None:
    assert make_server().operator.get("/v1/audit/approvals").ok() == {"events": [], "cursor": None, "list_complete": True}
