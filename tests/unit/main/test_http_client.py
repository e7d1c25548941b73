"""The commands' HTTP client: answers, refusals, and where a credential may go."""

from __future__ import annotations

import json

import pytest

from clawscope.kernel.secret import Secret
from clawscope.main.http_client import Refused, Server, Unreachable
from clawscope.main.output import REFUSED, UNREACHABLE, Failure
from tests.unit.main.conftest import OPERATOR_KEY, Laid


def test_credential_travels_as_bearer(server: Laid) -> None:
    server.answer("GET /x", {"a": 1})
    assert Server(server.base_url, Secret(OPERATOR_KEY)).get("/x") == {"a": 1}
    assert server.asked[0].headers["authorization"] == f"Bearer {OPERATOR_KEY}"


def test_no_credential_sends_no_authorization(server: Laid) -> None:
    server.answer("GET /x", {})
    Server(server.base_url).get("/x")
    assert "authorization" not in server.asked[0].headers


def test_redirect_is_an_error_not_a_way_on(server: Laid) -> None:
    server.answer("GET /x", {}, 302)
    with pytest.raises(Refused) as refused:
        Server(server.base_url, Secret(OPERATOR_KEY)).get("/x")
    assert refused.value.status == 302
    assert len(server.asked) == 1


def test_problem_document_becomes_code_message_and_fix(server: Laid) -> None:
    body = {"error": "TTL_TOO_LONG", "message": "Too long.", "fix": "at most 3600", "instance": "req_1", "status": 400}
    server.answer("POST /x", body, 400)
    with pytest.raises(Refused) as refused:
        Server(server.base_url).post("/x", {})
    failure = refused.value
    assert (failure.code, failure.message, failure.fix, failure.exit_code) == ("TTL_TOO_LONG", "Too long.", "at most 3600", REFUSED)
    assert failure.details["request_id"] == "req_1"


def test_oauth_error_shows_our_code(server: Laid) -> None:
    body = {"error": "invalid_scope", "error_description": "wider", "code": "EXCHANGE_SCOPE_WIDENED"}
    server.answer("POST /oauth2/token", body, 400)
    with pytest.raises(Refused) as refused:
        Server(server.base_url).post_form("/oauth2/token", {"a": "b"})
    assert refused.value.code == "EXCHANGE_SCOPE_WIDENED"


def test_error_page_of_something_else_names_the_status(server: Laid) -> None:
    server.answer("GET /x", b"<html>", 502)
    with pytest.raises(Refused) as refused:
        Server(server.base_url).get("/x")
    assert refused.value.code == "HTTP_502"


def test_missing_credential_says_how_to_give_one(server: Laid) -> None:
    server.answer("GET /x", {"error": "UNAUTHORIZED", "message": "none"}, 401)
    with pytest.raises(Refused) as refused:
        Server(server.base_url).get("/x")
    assert "--key" in (refused.value.fix or "")


def test_answer_that_is_no_object_is_a_failure(server: Laid) -> None:
    server.answer("GET /x", b"[1]")
    with pytest.raises(Failure):
        Server(server.base_url).get("/x")


def test_member_the_answer_lacks_is_a_failure_not_a_key_error(server: Laid) -> None:
    server.answer("GET /x", {})
    with pytest.raises(Failure):
        Server(server.base_url).get("/x")["token"]


def test_nobody_there_is_unreachable() -> None:
    with pytest.raises(Unreachable) as failed:
        Server("http://127.0.0.1:1").get("/x")
    assert failed.value.exit_code == UNREACHABLE


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8787", "http://", "http://user:pw@host", "http://host:99999", "http://host/?q"])
def test_url_that_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(Failure):
        Server(url)


def test_base_path_is_kept(server: Laid) -> None:
    server.answer("GET /sub/v1/jwks", {})
    Server(f"{server.base_url}/sub/").get("/v1/jwks")
    assert server.asked[0].path == "/sub/v1/jwks"


def test_absent_query_values_are_left_out(server: Laid) -> None:
    server.answer("GET /x", {})
    Server(server.base_url).get("/x", {"from": 1, "to": None, "sub": "a b"})
    assert server.asked[0].path == "/x?from=1&sub=a+b"


def test_form_is_encoded_as_a_form(server: Laid) -> None:
    server.answer("POST /f", {"ok": True})
    Server(server.base_url).post_form("/f", {"token": "a.b.c", "scope": "x y"})
    assert server.asked[0].body == b"token=a.b.c&scope=x+y"
    assert server.asked[0].headers["content-type"] == "application/x-www-form-urlencoded"


def test_lines_keep_their_line_feeds(server: Laid) -> None:
    server.answer("GET /l", b'{"a":1}\n{"b":2}\n')
    with Server(server.base_url).lines("/l") as lines:
        assert [json.loads(line) for line in lines] == [{"a": 1}, {"b": 2}]
