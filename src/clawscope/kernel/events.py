"""What happened, as a use case records it on its unit of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One fact: `name` such as `issuer.token_issued.v1`, `at` in epoch seconds, `data` without secrets or tokens."""

    event_id: str
    name: str
    at: int
    data: Mapping[str, Any]


_catalogue: dict[str, str] = {}


def event_name(name: str, sentence: str) -> str:
    """Register an event name once, with the sentence that documents it. Raises `ValueError` for a second declaration."""
    if name in _catalogue:
        raise ValueError(f"{name} is declared twice")
    _catalogue[name] = sentence
    return name


def catalogue() -> Mapping[str, str]:
    """Every declared event name and its sentence."""
    return dict(_catalogue)
