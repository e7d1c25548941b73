"""Keyset pages: a bounded list and the opaque cursor of the next one (tokens.md §0)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from clawscope.kernel.codes import INVALID_CURSOR

Row = TypeVar("Row")

DEFAULT_LIMIT = 50
MOST_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows and where the next page starts; `cursor` is `None` on the last page."""

    rows: Sequence[Row]
    cursor: str | None

    @property
    def list_complete(self) -> bool:
        """Whether nothing follows."""
        return self.cursor is None


def clamp(limit: int | None, default: int = DEFAULT_LIMIT, most: int = MOST_LIMIT) -> int:
    """The page size for an asked `limit`: the default if absent, else between 1 and `most`."""
    return default if limit is None else max(1, min(limit, most))


def encode_cursor(list_name: str, position: int) -> str:
    """An opaque cursor: the position and a tag that ties it to one list and its filters."""
    raw = position.to_bytes(8, "big")
    return base64.urlsafe_b64encode(raw + _tag(list_name, raw)).rstrip(b"=").decode()


def decode_cursor(list_name: str, cursor: str) -> int:
    """The position in a cursor of this list. Raises `INVALID_CURSOR` for a damaged or foreign one."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, TypeError):
        raise INVALID_CURSOR("start again without cursor") from None
    # Spare bits of the last character would give one cursor several spellings.
    canonical = len(raw) == 16 and base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == cursor
    if not canonical or not hmac.compare_digest(raw[8:], _tag(list_name, raw[:8])):
        raise INVALID_CURSOR("start again without cursor")
    return int.from_bytes(raw[:8], "big")


def page_of(list_name: str, rows: Sequence[tuple[int, Row]], limit: int) -> Page[Row]:
    """A page from up to `limit + 1` rows with their positions: the surplus row only tells that more follows."""
    kept = rows[:limit]
    more = len(rows) > limit
    return Page([row for _, row in kept], encode_cursor(list_name, kept[-1][0]) if more else None)


def _tag(list_name: str, raw: bytes) -> bytes:
    return hashlib.sha256(b"clawscope/cursor/v1\n" + list_name.encode() + b"\n" + raw).digest()[:8]
