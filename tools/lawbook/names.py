"""A file's name says what is in it."""

from __future__ import annotations

from collections.abc import Iterator

from tools.lawbook.source import Breach, Source

EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "misc", "base", "manager", "managers"}


def telling_names(source: Source) -> Iterator[Breach]:
    """No module or package is called, or ends in, a word that says nothing."""
    for part in (*source.path.parts[:-1], source.path.stem):
        if part.split("_")[-1] in EMPTY_WORDS:
            yield source.breach(1, f"{part} says nothing of what is inside; name the noun or the verb")
