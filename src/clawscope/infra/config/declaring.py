"""How a slice declares its settings: frozen dataclasses whose fields carry help, unit, bounds and environment names."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from clawscope.kernel.secret import Secret

PREFIX = "CLAWSCOPE_"
_META = "clawscope.setting"
_LEAVES = (int, float, bool, str, Secret, tuple[str, ...], dict[str, str], dict[str, Secret])


@dataclass(frozen=True, slots=True)
class Meta:
    """What a field says of itself; `low` and `high` bound a number, or the length of a text, list or table."""

    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    required_outside_dev: bool = False


@dataclass(frozen=True, slots=True)
class Declared:
    """One setting as the loader sees it: `name` is dotted, `env` its variable, `kind` its type without `| None`."""

    name: str
    env: str
    kind: Any
    optional: bool
    default: Any
    meta: Meta

    @property
    def is_secret(self) -> bool:
        """Whether the value, or any value of the table, must never be shown."""
        return self.kind in (Secret, dict[str, Secret])

    @property
    def is_required(self) -> bool:
        """Whether file, environment or dev mode must give a value."""
        return self.default is MISSING or self.meta.required_outside_dev


def setting(
    default: Any = MISSING,
    *,
    help: str,  # noqa: A002 - the field's standard word, and only ever a keyword
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    alias: str | tuple[str, ...] = (),
    required_outside_dev: bool = False,
) -> Any:
    """Declare one setting. Without a default it must be given; `required_outside_dev` asks for it in spite of a default.

    `alias` names further environment variables. A secret is a field of type `Secret`; it has no default but `None`.
    """
    aliases = (alias,) if isinstance(alias, str) else alias
    meta = {_META: Meta(help, unit, low, high, choices, aliases, required_outside_dev)}
    if isinstance(default, dict):
        kept = dict(default)
        return dataclasses.field(default_factory=lambda: dict(kept), metadata=meta, kw_only=True)
    return dataclasses.field(default=default, metadata=meta, kw_only=True)


def nested(section: type, *, help: str = "") -> Any:  # noqa: A002 - the field's standard word, and only ever a keyword
    """Declare a section within a section: `keys: KeySettings = nested(KeySettings)`."""
    return dataclasses.field(default_factory=section, metadata={_META: Meta(help)}, kw_only=True)


def walk(section: str, cls: type) -> Iterator[Declared]:
    """Every setting of a section, depth first. Raises `TypeError` for a class or field the loader could not fill."""
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{section}: {cls.__name__} is not a dataclass")
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name = f"{section}.{field.name}"
        kind, optional = _without_none(hints[field.name])
        if dataclasses.is_dataclass(kind) and not optional:
            yield from walk(name, kind)  # type: ignore[arg-type]  # is_dataclass cannot tell a class from an instance
            continue
        meta = field.metadata.get(_META)
        if meta is None or kind not in _LEAVES:
            raise TypeError(f"{name}: declare it with setting() and one of the types a setting may have")
        yield Declared(name, env_name(name), kind, optional, _default(field), meta)


def declared(sections: Mapping[str, type]) -> dict[str, Declared]:
    """Every setting of all sections by dotted name. Raises `TypeError` if two settings share an environment variable."""
    found: dict[str, Declared] = {}
    variables: dict[str, str] = {}
    for section, cls in sections.items():
        for one in walk(section, cls):
            for variable in (one.env, *one.meta.aliases):
                if variable in variables:
                    raise TypeError(f"{variable} names both {variables[variable]} and {one.name}")
                variables[variable] = one.name
            found[one.name] = one
    return found


def env_name(name: str) -> str:
    """`issuer.keys.source` as `CLAWSCOPE_ISSUER_KEYS_SOURCE`."""
    return PREFIX + name.replace(".", "_").upper()


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType):
        rest = [arg for arg in get_args(hint) if arg is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return hint, False


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default
