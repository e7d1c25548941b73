"""Fills every section from one TOML file, then the environment, then dev mode's values, and reports all mistakes at once."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any, get_type_hints

from clawscope.infra.config.declaring import PREFIX, Declared, declared
from clawscope.infra.config.reading import Unfit, from_file, from_variable, wanted


class ConfigProblems(Exception):
    """All that is wrong with a configuration; `lines` say name, fault and remedy, and show no value."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings of each section, and where each came from: `default`, `file`, `env NAME` or `dev`, by dotted name."""

    sections: Mapping[str, Any]
    origins: Mapping[str, str]
    declared: Mapping[str, Declared]


@dataclass(slots=True)
class _Gathered:
    """Values found so far, by dotted name, and the mistakes."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)

    def keep(self, one: Declared, value: Any, origin: str) -> None:
        self.values[one.name], self.origins[one.name] = value, origin

    def fault(self, one: Declared, origin: str, what: str) -> None:
        self.faulty.add(one.name)
        self.lines.append(f"{one.name} ({origin}): {what}")


def load(
    sections: Mapping[str, type],
    *,
    toml_text: str | None,
    environ: Mapping[str, str],
    dev_values: Mapping[str, Any] | None = None,
) -> Loaded:
    """The filled sections. Raises `ConfigProblems` with every mistake found, in this order:

    (1) the file: syntax, unknown keys, values; (2) the environment: unknown names, aliases that differ, values; (3) dev values
    (dotted names) fill what is missing, then the defaults; (4) what is still missing; (5) each section's own `problems()`.
    """
    known = declared(sections)
    got = _Gathered()
    _read_file(known, set(sections), toml_text, got)  # (1)
    _read_environment(known, environ, got)  # (2)
    _fill(known, dev_values or {}, got)  # (3) (4)
    filled = {name: _build(name, cls, got) for name, cls in sections.items()}
    for name, settings in filled.items():  # (5)
        got.lines += [f"{where}: {line}" for where, line in _own_problems(name, settings)]
    if got.lines:
        raise ConfigProblems(got.lines)
    return Loaded(filled, got.origins, known)


def _read_file(known: Mapping[str, Declared], sections: set[str], text: str | None, got: _Gathered) -> None:
    try:
        tree = tomllib.loads(text or "")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # Only the place is quoted: the parser's own words may repeat what the file holds.
        place = re.search(r"\(at [a-z0-9, ]+\)$", str(error))
        got.lines.append(f"the file is not TOML {place.group() if place else ''}".rstrip())
        return
    branches = sections | {name.rpartition(".")[0] for name in known}
    _read_table(known, branches, "", tree, got)


def _read_table(known: Mapping[str, Declared], branches: set[str], path: str, table: Mapping[str, Any], got: _Gathered) -> None:
    for key, value in table.items():
        name = f"{path}.{key}" if path else key
        if name in known:
            try:
                got.keep(known[name], from_file(known[name], value), "file")
            except Unfit as unfit:
                got.fault(known[name], "file", str(unfit))
        elif name not in branches:
            got.lines.append(f"{name} (file): there is no such setting{_nearest(name, [*known, *branches])}")
        elif isinstance(value, dict):
            _read_table(known, branches, name, value, got)
        else:
            got.lines.append(f"{name} (file): is a section; write it as [{name}]")


def _read_environment(known: Mapping[str, Declared], environ: Mapping[str, str], got: _Gathered) -> None:
    names = {one.env for one in known.values()} | {alias for one in known.values() for alias in one.meta.aliases}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in names:
            got.lines.append(f"{variable} (environment): there is no such setting{_nearest(variable, sorted(names))}")
    for one in known.values():
        found: list[tuple[str, Any]] = []
        for variable in (one.env, *one.meta.aliases):
            if variable in environ:
                try:
                    found.append((variable, from_variable(one, environ[variable])))
                except Unfit as unfit:
                    got.fault(one, f"env {variable}", str(unfit))
        if any(value != found[0][1] for _, value in found):
            got.fault(one, "env", f"{' and '.join(name for name, _ in found)} are both set and differ; keep one")
        elif found:
            got.keep(one, found[0][1], f"env {found[0][0]}")


def _fill(known: Mapping[str, Declared], dev_values: Mapping[str, Any], got: _Gathered) -> None:
    for name in dev_values:
        if name not in known:
            got.lines.append(f"{name} (dev): there is no such setting")
    for name, one in known.items():
        if name in got.values or name in got.faulty:
            continue
        if name in dev_values:
            try:
                got.keep(one, from_file(one, dev_values[name]), "dev")
            except Unfit as unfit:
                got.fault(one, "dev", str(unfit))
        elif one.is_required:
            remedy = f"set it in the file or as {one.env}: {wanted(one)}"
            got.fault(one, "missing", remedy + (f" ({one.meta.help})" if one.meta.help else ""))
        else:
            got.keep(one, one.default, "default")


def _build(path: str, cls: type, got: _Gathered) -> Any:
    """The section, or `MISSING` if a value in it is faulty: its own checks would judge a half-filled thing."""
    hints = get_type_hints(cls)
    values = {
        one.name: _build(f"{path}.{one.name}", hints[one.name], got)
        if dataclasses.is_dataclass(hints[one.name])
        else got.values.get(f"{path}.{one.name}", MISSING)
        for one in dataclasses.fields(cls)
    }
    return MISSING if MISSING in values.values() else cls(**values)


def _own_problems(path: str, settings: Any) -> Iterator[tuple[str, str]]:
    if settings is MISSING:
        return
    for one in dataclasses.fields(settings):
        value = getattr(settings, one.name)
        if dataclasses.is_dataclass(value):
            yield from _own_problems(f"{path}.{one.name}", value)
    check = getattr(settings, "problems", None)
    if check is not None:
        yield from ((path, line) for line in check())


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""
