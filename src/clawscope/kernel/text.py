"""Rules for text from outside: bounded, free of NUL, blanks as the contract counts them."""

from __future__ import annotations

BLANKS = " \t\n\r"


def trimmed(text: str) -> str:
    """The text without U+0020, U+0009, U+000A and U+000D at its ends (tokens.md §1.2); no other blank is one."""
    return text.strip(BLANKS)


def is_printable_ascii(text: str, *, blanks: bool = True) -> bool:
    """Whether every character is printable ASCII; without `blanks`, U+0020 is refused too."""
    low = " " if blanks else "!"
    return all(low <= char <= "~" for char in text)


def has_controls(text: str) -> bool:
    """Whether the text holds a C0, DEL or C1 control, or a lone surrogate."""
    return any(char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" for char in text)


def is_storable(text: str, most: int) -> bool:
    """Whether a store may see this text: at most `most` characters, no NUL, no lone surrogate."""
    return len(text) <= most and "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
