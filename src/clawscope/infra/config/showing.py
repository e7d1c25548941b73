"""Settings for people: the reference page, and the effective values with their origins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from functools import reduce
from typing import Any

from clawscope.infra.config.declaring import Declared, declared
from clawscope.infra.config.loading import Loaded
from clawscope.infra.config.reading import wanted
from clawscope.kernel.secret import Secret

HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class EffectiveRow:
    """One line of `check-config`: the value as it would be written, `***` for a secret, empty for none."""

    name: str
    value: str
    origin: str
    unit: str
    help: str


def effective(loaded: Loaded) -> list[EffectiveRow]:
    """Every setting with its value and origin, in order of declaration."""
    return [
        EffectiveRow(name, shown(value_of(loaded, name)), loaded.origins[name], one.meta.unit, one.meta.help)
        for name, one in loaded.declared.items()
    ]


def secrets_of(loaded: Loaded) -> list[Secret]:
    """Every secret value in force, so that logs can be kept free of them."""
    found: list[Secret] = []
    for name, one in loaded.declared.items():
        value = value_of(loaded, name) if one.is_secret else None
        if isinstance(value, Secret):
            found.append(value)
        elif isinstance(value, dict):
            found += value.values()
    return found


def value_of(loaded: Loaded, name: str) -> Any:
    """The value in force of one setting, by dotted name. Raises `KeyError` for an unknown one."""
    section = max((one for one in loaded.sections if name.startswith(f"{one}.")), key=len, default=name)
    return reduce(getattr, name[len(section) + 1 :].split("."), loaded.sections[section])


def describe(sections: Mapping[str, type]) -> str:
    """The reference page of all settings as Markdown: one table a section."""
    lines = ["# Settings", "", "One TOML file, then the environment (lists and tables as JSON). Generated; do not edit."]
    section = ""
    for one in declared(sections).values():
        parent, _, key = one.name.rpartition(".")
        if parent != section:
            section = parent
            lines += ["", f"## `[{section}]`", ""]
            lines += ["| key | default | what may be written | meaning | environment |", "|---|---|---|---|---|"]
        variables = " ".join(f"`{name}`" for name in (one.env, *one.meta.aliases))
        lines.append(f"| `{key}` | {_default(one)} | {_cell(wanted(one))} | {_cell(one.meta.help)} | {variables} |")
    return "\n".join(lines) + "\n"


def shown(value: Any) -> str:
    """A value as text for people; secrets are `***`."""
    if value is None:
        return ""
    if isinstance(value, str | Secret):
        return str(value)
    if isinstance(value, dict):
        value = {key: str(item) for key, item in value.items()}
    return json.dumps(value, ensure_ascii=False)


def _default(one: Declared) -> str:
    if one.is_required:
        return "required outside dev mode" if one.meta.required_outside_dev else "required"
    if one.default is MISSING or one.default is None:
        return "none"
    text = shown(one.default)
    return f"`{_cell(text)}`" if text else "empty"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
