"""A silenced linter says which rule and why."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

from tools.lawbook.source import Breach, Source

_MARKS = ("noqa", "type: ignore", "type:ignore", "ruff:", "mypy:", "pyright:", "pragma:", "nosec", "fmt:")
_WHOLE_FILE = re.compile(r"#\s*(ruff:|mypy:|pyright:|flake8:)")
_IGNORE = re.compile(
    r"#\s*(?:noqa\b(?P<noqa>:\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*)?|type:\s*ignore\b(?P<type>\[[a-z-]+(?:\s*,\s*[a-z-]+)*\])?)"
)
_WORD = re.compile(r"[A-Za-z]{2,}")


def ignores_with_reasons(source: Source) -> Iterator[Breach]:
    """Every `# noqa` and `# type: ignore` names its rules and is followed by a reason; whole files are never silenced."""
    if not any(mark in source.text for mark in _MARKS):
        return
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type != tokenize.COMMENT:
            continue
        if _WHOLE_FILE.search(token.string):
            yield source.breach(token.start[0], "silence one line, with a reason, or change the rule for all")
        found = list(_IGNORE.finditer(token.string))
        if any(match["noqa"] is None and match["type"] is None for match in found):
            yield source.breach(token.start[0], "name the rule that is silenced: # noqa: X000 or # type: ignore[name]")
        elif found and not _WORD.search(_IGNORE.sub("", token.string)):
            yield source.breach(token.start[0], "say why the rule is silenced, after the code")
