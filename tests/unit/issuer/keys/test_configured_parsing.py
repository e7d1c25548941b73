"""Reading the runbook's variables: strict, every fault at once, no material shown (keys.md §2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawscope.infra.config.loading import ConfigProblems
from clawscope.issuer.adapters.keyring_loader import read_configured, seed_vault
from clawscope.issuer.domain.configured_keys import FaultyKeys, parse
from clawscope.issuer.settings import KeySettings
from clawscope.kernel.secret import Secret
from clawscope.protocol import b64u
from clawscope.protocol.jwk import hex16
from tests.unit.issuer.keys.conftest import configured, seed
from tests.unit.issuer.keys.test_configured_keys import NOW, kid, public, verify_only


def bad(**variables: Any) -> list[str]:
    values: dict[str, Any] = dict.fromkeys(("signing_key", "signing_keys_json", "verify_public_keys_json", "statement_key"))
    with pytest.raises(FaultyKeys) as caught:
        parse(**(values | variables), kid_rule="rfc7638")
    return caught.value.lines


def test_every_bad_entry_is_named_at_once_and_none_is_shown() -> None:
    good = seed("a")
    mismatched = b64u.encode(b64u.decode(seed("a")) + public("b"))
    entries = [good, "####", good[:-4], {"seed": seed("b"), "kid": "a b"}, {"seed": seed("c"), "more": 1}, mismatched, 7]
    publics = [
        {"x": b64u.encode(bytes(32)), "not_after_unix": NOW},
        {"x": b64u.encode(public("z"))},
        {"not_after_unix": "x", "x": "?"},
        "x",
    ]
    lines = bad(signing_keys_json=json.dumps(entries), verify_public_keys_json=json.dumps(publics), statement_key="short")
    text = "\n".join(lines)
    for at in (1, 2, 3, 4, 5, 6):
        assert f"signing_keys_json[{at}]" in text
    for at in (0, 1, 2, 3):
        assert f"verify_public_keys_json[{at}]" in text
    assert "signing_keys_json[0]" not in text
    assert "statement_key" in text
    assert good not in text
    assert mismatched not in text


def test_lists_that_are_no_lists_or_empty_are_refused() -> None:
    assert bad(signing_keys_json="[]") == ["signing_keys_json: list at least one seed"]
    assert bad(signing_keys_json="{}") == ["signing_keys_json: is not a JSON array"]
    assert bad(verify_public_keys_json="nonsense") == ["verify_public_keys_json: is not a JSON array"]


def test_one_key_listed_twice_is_refused_and_a_verify_entry_of_a_signing_key_ignored() -> None:
    assert any("two signing" in line for line in bad(signing_keys_json=json.dumps([seed("a"), seed("a")])))
    assert configured("a", verify=verify_only("a", NOW)).verify == ()


def test_the_list_wins_over_the_single_seed_and_kid_rules_are_kept() -> None:
    both = parse(
        signing_key=seed("x"),
        signing_keys_json=json.dumps([{"seed": seed("a"), "kid": "named"}, seed("b")]),
        verify_public_keys_json=None,
        statement_key=None,
        kid_rule="sha256_hex16",
    )
    assert [one.kid for one in both.signing] == ["named", hex16(public("b"))]


def test_bad_settings_stop_the_start_without_showing_material() -> None:
    settings = KeySettings(signing_key=Secret("bad-material"), statement_key=Secret(seed("s")), master_key=None)
    with pytest.raises(ConfigProblems) as caught:
        seed_vault(settings)
    assert len(caught.value.lines) == 1
    assert "bad-material" not in str(caught.value)
    with pytest.raises(ConfigProblems, match="master_key"):
        seed_vault(KeySettings(master_key=Secret("short")))
    assert read_configured(KeySettings(signing_key=Secret(seed("a")))).signing[0].kid == kid("a")
