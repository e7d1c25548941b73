"""Check a whole key log against the keys it names, and name the first break (keys.md §6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clawscope.protocol import b64u
from clawscope.protocol.key_log import LogReport, verify_chain
from clawscope.protocol.key_snapshot import Entry, NotAnEntry, read


class UnreadableLog(ValueError):
    """What was given is not a saved key log."""


def verify_log(snapshots: Sequence[Any], keys: Sequence[Mapping[str, Any]], *, publish_delay_s: int | None) -> LogReport:
    """The report on a log given in ascending order from its beginning; `keys` as `GET /v1/keys` lists them, retired ones too.

    Without `publish_delay_s` the log is held to the shortest delay it promised itself. Raises `UnreadableLog` for a value that is
    no snapshot, or a key that is no key.
    """
    token_keys: dict[str, bytes] = {}
    statement_keys: dict[str, bytes] = {}
    for key in keys:
        purpose, kid, x = key.get("purpose"), key.get("kid"), key.get("x")
        try:
            public = b64u.decode(x) if isinstance(x, str) else b""
        except ValueError:
            public = b""
        if not isinstance(kid, str) or not public:
            raise UnreadableLog("a listed key has no kid or no x")
        if purpose == "token":
            token_keys[kid] = public
        elif purpose == "statement":
            statement_keys[kid] = public
    entries = _entries(snapshots)
    delay_s = promised_delay_s(entries) if publish_delay_s is None else publish_delay_s
    return verify_chain(entries, token_keys=token_keys, statement_keys=statement_keys, publish_delay_s=delay_s)


def promised_delay_s(entries: Iterable[Entry]) -> int:
    """The shortest time between a key's first listing as prepared and its promised activation, in seconds; 0 without any."""
    promised: dict[str, int] = {}
    for entry in entries:
        for one in entry.prepared_kids:
            promised.setdefault(one.kid, one.activates_at_unix - entry.generated_at)
    return max(0, min(promised.values(), default=0))


def _entries(snapshots: Iterable[Any]) -> list[Entry]:
    try:
        return [read(snapshot) for snapshot in snapshots]
    except NotAnEntry:
        raise UnreadableLog("one of the snapshots has not the shape of one") from None
