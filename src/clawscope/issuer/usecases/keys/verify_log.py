"""Check a whole key log against the keys it names, and name the first break (keys.md §6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clawscope.protocol import b64u
from clawscope.protocol.key_log import LogReport, verify_chain
from clawscope.protocol.key_snapshot import Entry, NotAnEntry, read


class UnreadableLog(ValueError):
    """What was given is not a saved key log."""


def verify_log(snapshots: Iterable[Any], keys: Sequence[Mapping[str, Any]], *, publish_delay_s: int) -> LogReport:
    """The report on a log given in ascending order from its beginning; `keys` as `GET /v1/keys` lists them, retired ones too.

    Raises `UnreadableLog` for a value that is no snapshot, or a key that is no key.
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
    return verify_chain(_entries(snapshots), token_keys=token_keys, statement_keys=statement_keys, publish_delay_s=publish_delay_s)


def _entries(snapshots: Iterable[Any]) -> Iterable[Entry]:
    for snapshot in snapshots:
        try:
            yield read(snapshot)
        except NotAnEntry:
            raise UnreadableLog("one of the snapshots has not the shape of one") from None
