"""Settings are read from file and environment, and all that is wrong is said at once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from clawscope.infra.config import ConfigProblems, load, nested, secrets_of, setting
from clawscope.kernel.secret import Secret


@dataclass(frozen=True)
class KeySettings:
    source: str = setting("managed", help="Where keys come from", choices=("managed", "config"))
    master_key: Secret | None = setting(None, help="Seals seeds")
    signing_key: Secret | None = setting(None, help="One seed", alias="SCOPE_SIGNING_KEY")

    def problems(self) -> list[str]:
        return ["master_key is required when source is managed"] if self.source == "managed" and not self.master_key else []


@dataclass(frozen=True)
class IssuerSettings:
    url: str = setting(help="The issuer", required_outside_dev=True)
    audiences: tuple[str, ...] = setting((), help="Own audiences", high=3)
    max_ttl_s: int = setting(3600, help="Longest lifetime", unit="seconds", low=1, high=86400)
    ratio: float = setting(0.5, help="A share", low=0, high=1)
    open: bool = setting(False, help="Whether open")
    operator_keys: dict[str, Secret] = setting({}, help="Named keys")
    labels: dict[str, str] = setting({}, help="Labels")
    legacy_exchange_mode: str = setting(
        "migration", help="Legacy lane", choices=("disabled", "migration", "enabled"), alias="SCOPE_LEGACY_EXCHANGE_MODE"
    )
    keys: KeySettings = nested(KeySettings)


@dataclass(frozen=True)
class Clashing:
    keys_source: str = setting("", help="The same variable as keys.source")
    keys: KeySettings = nested(KeySettings)


SECTIONS = {"issuer": IssuerSettings}
GOOD = '[issuer]\nurl = "https://a"\n[issuer.keys]\nmaster_key = "m"\n'


def read(toml: str | None = GOOD, dev: dict[str, object] | None = None, **environ: str) -> IssuerSettings:
    settings = load(SECTIONS, toml_text=toml, environ=environ, dev_values=dev).sections["issuer"]
    assert isinstance(settings, IssuerSettings)
    return settings


def faults(toml: str | None = GOOD, **environ: str) -> list[str]:
    with pytest.raises(ConfigProblems) as caught:
        load(SECTIONS, toml_text=toml, environ=environ)
    return caught.value.lines


def test_defaults_fill_what_nobody_set() -> None:
    settings = read()
    assert (settings.max_ttl_s, settings.audiences, settings.open, settings.keys.source) == (3600, (), False, "managed")


def test_the_environment_wins_over_the_file() -> None:
    assert read(GOOD.replace("[issuer]", "[issuer]\nmax_ttl_s = 60", 1), CLAWSCOPE_ISSUER_MAX_TTL_S="90").max_ttl_s == 90


def test_nested_sections_have_their_own_variables() -> None:
    settings = read(CLAWSCOPE_ISSUER_KEYS_SOURCE="config", CLAWSCOPE_ISSUER_KEYS_SIGNING_KEY="seed")
    assert settings.keys.source == "config"
    assert settings.keys.signing_key == Secret("seed")


def test_lists_and_tables_in_variables_are_json() -> None:
    settings = read(
        CLAWSCOPE_ISSUER_AUDIENCES='["a","b"]',
        CLAWSCOPE_ISSUER_LABELS='{"k":"v"}',
        CLAWSCOPE_ISSUER_OPERATOR_KEYS='{"ops":"hidden"}',
        CLAWSCOPE_ISSUER_OPEN="true",
        CLAWSCOPE_ISSUER_RATIO="0.25",
    )
    assert settings.audiences == ("a", "b")
    assert settings.labels == {"k": "v"}
    assert settings.operator_keys["ops"].reveal() == "hidden"
    assert settings.open is True
    assert settings.ratio == 0.25


def test_origins_name_the_source_of_each_value() -> None:
    loaded = load(
        SECTIONS,
        toml_text="[issuer]\nmax_ttl_s = 5\n",
        environ={"SCOPE_LEGACY_EXCHANGE_MODE": "disabled"},
        dev_values={"issuer.url": "http://localhost", "issuer.keys.master_key": Secret("m"), "issuer.max_ttl_s": 9},
    )
    assert loaded.origins["issuer.max_ttl_s"] == "file"
    assert loaded.origins["issuer.legacy_exchange_mode"] == "env SCOPE_LEGACY_EXCHANGE_MODE"
    assert loaded.origins["issuer.url"] == "dev"
    assert loaded.origins["issuer.ratio"] == "default"


def test_dev_values_only_fill_what_is_missing() -> None:
    assert read(dev={"issuer.url": "http://localhost", "issuer.max_ttl_s": 7}).url == "https://a"


def test_alias_and_name_that_agree_are_one_setting() -> None:
    settings = read(SCOPE_LEGACY_EXCHANGE_MODE="enabled", CLAWSCOPE_ISSUER_LEGACY_EXCHANGE_MODE="enabled")
    assert settings.legacy_exchange_mode == "enabled"


def test_alias_and_name_that_differ_stop_the_start() -> None:
    (line,) = faults(SCOPE_LEGACY_EXCHANGE_MODE="enabled", CLAWSCOPE_ISSUER_LEGACY_EXCHANGE_MODE="disabled")
    assert "CLAWSCOPE_ISSUER_LEGACY_EXCHANGE_MODE and SCOPE_LEGACY_EXCHANGE_MODE are both set and differ" in line


def test_all_mistakes_are_reported_at_once() -> None:
    lines = faults(
        "[issuer]\nmax_ttl_s = 0\nopen = 1\nmax_tll_s = 3\nlegacy_exchange_mode = 'on'\n[nowhere]\nx = 1\n",
        CLAWSCOPE_ISSUER_RATIO="2",
        CLAWSCOPE_ISSUER_AUDIENCES="a,b",
        CLAWSCOPE_ISSUER_NOPE="1",
    )
    text = "\n".join(lines)
    for part in (
        "issuer.max_ttl_s (file): write a whole number in seconds from 1 to 86400",
        "issuer.open (file): write true or false",
        "issuer.max_tll_s (file): there is no such setting; did you mean issuer.max_ttl_s?",
        "issuer.legacy_exchange_mode (file): write one of disabled, migration, enabled",
        "nowhere (file): there is no such setting",
        "issuer.ratio (env CLAWSCOPE_ISSUER_RATIO): write a number from 0 to 1",
        "issuer.audiences (env CLAWSCOPE_ISSUER_AUDIENCES): write a list of texts of at most 3 entries as JSON",
        "CLAWSCOPE_ISSUER_NOPE (environment): there is no such setting",
        "issuer.url (missing): set it in the file or as CLAWSCOPE_ISSUER_URL: text (The issuer)",
    ):
        assert part in text
    assert len(lines) == 9


def test_a_sections_own_checks_are_reported_with_its_name() -> None:
    assert faults('[issuer]\nurl = "https://a"\n') == ["issuer.keys: master_key is required when source is managed"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CLAWSCOPE_ISSUER_OPERATOR_KEYS", '{"ops":{"deep":"hunter2-secret"}}'),
        ("CLAWSCOPE_ISSUER_OPERATOR_KEYS", '{"ops":"hunter2-secret","ops":"x"}'),
        ("CLAWSCOPE_ISSUER_OPERATOR_KEYS", "hunter2-secret"),
        ("CLAWSCOPE_ISSUER_KEYS_MASTER_KEY", "hunter2-secret\x00"),
        ("CLAWSCOPE_ISSUER_MAX_TTL_S", "hunter2-secret"),
    ],
)
def test_no_rejected_value_is_ever_shown(name: str, text: str) -> None:
    assert "hunter2" not in "\n".join(faults(**{name: text}))


def test_a_broken_file_is_named_by_place_and_not_quoted() -> None:
    lines = faults("[issuer]\nmaster = hunter2-secret\n", CLAWSCOPE_ISSUER_URL="https://a", CLAWSCOPE_ISSUER_KEYS_MASTER_KEY="m")
    assert lines == ["the file is not TOML (at line 2, column 10)"]


def test_an_empty_variable_is_no_silent_default() -> None:
    assert "is set but empty" in faults(CLAWSCOPE_ISSUER_MAX_TTL_S="")[0]
    assert "is set but empty" in faults(CLAWSCOPE_ISSUER_KEYS_MASTER_KEY="")[0]


@pytest.mark.parametrize("text", ["1.5", "1_000", "0x10", " 5", "９", "1" * 19, "nan"])
def test_whole_numbers_are_plain_digits(text: str) -> None:
    assert len(faults(CLAWSCOPE_ISSUER_MAX_TTL_S=text)) == 1


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "", "0,5"])
def test_numbers_are_finite(text: str) -> None:
    assert len(faults(CLAWSCOPE_ISSUER_RATIO=text)) == 1


def test_deeply_nested_json_is_a_mistake_and_no_crash() -> None:
    assert len(faults(CLAWSCOPE_ISSUER_AUDIENCES="[" * 200_000)) == 1


def test_a_section_written_as_a_value_is_named() -> None:
    assert "issuer.keys (file): is a section; write it as [issuer.keys]" in faults('[issuer]\nurl = "u"\nkeys = 1\n')


def test_defaults_are_not_shared_between_loads() -> None:
    first = read()
    first.labels["x"] = "y"
    assert read().labels == {}


def test_secrets_in_force_are_listed_for_the_logs() -> None:
    loaded = load(SECTIONS, toml_text=GOOD, environ={"CLAWSCOPE_ISSUER_OPERATOR_KEYS": '{"ops":"k1"}'})
    assert {one.reveal() for one in secrets_of(loaded)} == {"k1", "m"}


def test_two_settings_never_share_a_variable() -> None:
    with pytest.raises(TypeError, match="CLAWSCOPE_X_KEYS_SOURCE names both"):
        load({"x": Clashing}, toml_text=None, environ={})


def test_a_field_of_an_unknown_type_fails_at_once() -> None:
    @dataclass(frozen=True)
    class Odd:
        at: complex = setting(0j, help="odd")

    with pytest.raises(TypeError, match=r"odd\.at"):
        load({"odd": Odd}, toml_text=None, environ={})


@dataclass(frozen=True)
class Doubtful:
    keys: KeySettings | None = setting(None, help="A section is there or not; it cannot be none")


def test_a_section_that_may_be_none_fails_at_once() -> None:
    with pytest.raises(TypeError, match=r"doubtful\.keys"):
        load({"doubtful": Doubtful}, toml_text=None, environ={})
