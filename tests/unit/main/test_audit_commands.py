"""`clawscope audit …`: whole bundles only, and the first bad row of any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clawscope.protocol import audit_bundle
from clawscope.protocol.audit_bundle import BundleWriter
from tests.unit.main.conftest import OPERATOR_KEY, Issuer, Laid, Ran


def bundle(issuer: Issuer) -> list[bytes]:
    """The lines of a signed bundle of three rows."""
    writer = BundleWriter()
    lines = [writer.header({"bundle_version": "1", "through": {"issuance": 2, "revocations": 1}})]
    lines += [writer.row("issuance", {"sequence": n, "sub": f"did:key:z{n}"}) for n in (1, 2)]
    lines.append(writer.row("revocation", {"sequence": 1}))
    lines.append(writer.trailer(checkpoint=None, signer_kid=issuer.statement_kid, key=issuer.statement_key))
    return lines


@pytest.fixture
def keys(issuer: Issuer, tmp_path: Path) -> str:
    """A file with the issuer's statement keys."""
    path = tmp_path / "statements.json"
    path.write_text(json.dumps(issuer.statements()))
    return str(path)


def test_export_keeps_the_bytes_as_they_came(cli: Callable[..., Ran], server: Laid, issuer: Issuer, tmp_path: Path) -> None:
    server.answer("GET /v1/audit/bundle", b"".join(bundle(issuer)))
    ran = cli(
        "audit", "export", "--out", "a.ndjson", "--from", "5", "--filter", "sub=did:key:z1", "--url", server.base_url, "--key", OPERATOR_KEY
    )
    assert ran.code == 0
    assert (tmp_path / "a.ndjson").read_bytes() == b"".join(bundle(issuer))
    assert server.asked[-1].path == "/v1/audit/bundle?format=ndjson&from=5&sub=did%3Akey%3Az1"


def test_stream_without_trailer_replaces_nothing(cli: Callable[..., Ran], server: Laid, issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text("older and whole")
    server.answer("GET /v1/audit/bundle", b"".join(bundle(issuer)[:-1]))
    ran = cli("audit", "export", "--out", "a.ndjson", "--url", server.base_url)
    assert (ran.code, "BUNDLE_INCOMPLETE" in ran.err) == (1, True)
    assert (tmp_path / "a.ndjson").read_text() == "older and whole"
    assert not (tmp_path / "a.ndjson.part").exists()


def test_unknown_filter_is_wrong_usage(cli: Callable[..., Ran]) -> None:
    assert cli("audit", "export", "--out", "a", "--filter", "color=red", "--url", "http://127.0.0.1:1").code == 2


def test_whole_bundle_verifies(cli: Callable[..., Ran], issuer: Issuer, keys: str, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"".join(bundle(issuer)))
    ran = cli("audit", "verify", "a.ndjson", "--keys", keys, "--json")
    assert (ran.code, ran.json["rows"]) == (0, {"issuance": 2, "revocations": 1, "approvals": 0})


@pytest.mark.parametrize(
    ("damage", "line", "why"),
    [
        (lambda lines: [*lines[:2], *lines[3:]], 4, "counts"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 3, "sequence"),
        (lambda lines: [*lines[:1], lines[1].replace(b"z1", b"z9"), *lines[2:]], 5, "sha256"),
        (lambda lines: lines[:-1], 5, "trailer_missing"),
        (lambda lines: [*lines[:2], b"{\n", *lines[2:]], 3, "not_json"),
        (lambda lines: [*lines, lines[1]], 6, "row_after_trailer"),
        (lambda lines: [], 1, "trailer_missing"),
    ],
)
def test_first_bad_row_is_named(
    cli: Callable[..., Ran], issuer: Issuer, keys: str, tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]], line: int, why: str
) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"".join(damage(bundle(issuer))))
    ran = cli("audit", "verify", "a.ndjson", "--keys", keys, "--json")
    assert (ran.code, ran.json["bad_line"], ran.json["why"]) == (1, line, why)
    assert f"line {line}" in cli("audit", "verify", "a.ndjson", "--keys", keys).out


def test_page_of_a_bundle_verifies_and_a_changed_one_does_not(cli: Callable[..., Ran], issuer: Issuer, keys: str, tmp_path: Path) -> None:
    lists = {name: {"events": [], "cursor": None, "list_complete": True} for name in ("issuance", "revocations", "approvals")}
    page = audit_bundle.seal_page(
        {"generated_at": "2027-01-15T08:00:00.000Z", **lists}, signer_kid=issuer.statement_kid, key=issuer.statement_key
    )
    (tmp_path / "page.json").write_text(json.dumps(page))
    assert cli("audit", "verify", "page.json", "--keys", keys).code == 0
    (tmp_path / "page.json").write_text(json.dumps(page | {"generated_at": "2027-01-15T08:00:01.000Z"}, indent=1))
    assert cli("audit", "verify", "page.json", "--keys", keys).code == 1


def test_keys_may_come_from_the_issuer(cli: Callable[..., Ran], server: Laid, issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"".join(bundle(issuer)))
    server.answer("GET /v1/jwks/statements", issuer.statements())
    assert cli("audit", "verify", "a.ndjson", "--url", server.base_url).code == 0


def test_without_keys_is_6(cli: Callable[..., Ran], issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"".join(bundle(issuer)))
    assert cli("audit", "verify", "a.ndjson").code == 6


def test_key_of_another_purpose_does_not_count(cli: Callable[..., Ran], issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"".join(bundle(issuer)))
    other = issuer.statements()
    other["keys"][0]["purpose"] = "receipt"
    (tmp_path / "keys.json").write_text(json.dumps(other))
    ran = cli("audit", "verify", "a.ndjson", "--keys", "keys.json", "--json")
    assert (ran.code, ran.json["why"]) == (1, "signer")


def test_keys_that_are_none_are_6_without_traceback(cli: Callable[..., Ran], issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"".join(bundle(issuer)))
    (tmp_path / "keys.json").write_text('{"keys": 1')
    ran = cli("audit", "verify", "a.ndjson", "--keys", "keys.json")
    assert ran.code == 6
    assert ran.err.startswith("NO_KEYS: ")


def test_missing_file_is_told_by_name(cli: Callable[..., Ran], keys: str) -> None:
    ran = cli("audit", "verify", "nowhere.ndjson", "--keys", keys)
    assert ran.code != 0
    assert "nowhere.ndjson" in ran.err
