"""Rules for text from outside: bounded, free of NUL, blanks as the contract counts them."""

from __future__ import annotations

import re

BLANKS = " \t\n\r"
_PRINTABLE = re.compile(r"[ -~]*")
_VISIBLE = re.compile(r"[!-~]*")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def trimmed(text: str) -> str:
    """The text without U+0020, U+0009, U+000A and U+000D at its ends (tokens.md §1.2); no other blank is one."""
    return text.strip(BLANKS)


def is_printable_ascii(text: str, *, blanks: bool = True) -> bool:
    """Whether every character is printable ASCII; without `blanks`, U+0020 is refused too."""
    return (_PRINTABLE if blanks else _VISIBLE).fullmatch(text) is not None


def has_controls(text: str) -> bool:
    """Whether the text holds a C0, DEL or C1 control, or a lone surrogate."""
    return _CONTROLS.search(text) is not None


def is_storable(text: str, most: int) -> bool:
    """Whether a store may see this text: at most `most` characters, no NUL, no lone surrogate."""
    return len(text) <= most and _UNSTORABLE.search(text) is None
