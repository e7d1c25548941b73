"""Key rows and the key log on SQL. Rows of keys move but are never deleted; snapshots are append-only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Update, bindparam, select, update

from clawscope.infra.db.tx import Tx
from clawscope.issuer.adapters.key_tables import key_snapshots, keys
from clawscope.issuer.domain.keyring import ACTIVE, KeyRecord
from clawscope.protocol import b64u

_c = keys.c
_s = key_snapshots.c
_ALL = select(keys).order_by(_c.position, _c.kid)
_GET = select(keys).where(_c.kid == bindparam("v"))
# Share-locked until the commit, so that no activation slips past an issue (keys.md §1).
_IS_ACTIVE = select(_c.kid).where(_c.kid == bindparam("v"), _c.state == ACTIVE).with_for_update(read=True)
_LATEST = select(_s.body).order_by(_s.sequence.desc()).limit(1)
_NEWEST = select(_s.body).order_by(_s.sequence.desc()).limit(bindparam("most"))
_BEFORE = select(_s.body).where(_s.sequence < bindparam("p")).order_by(_s.sequence.desc()).limit(bindparam("most"))
_SINCE = select(_s.body).where(_s.sequence > bindparam("p")).order_by(_s.sequence).limit(bindparam("most"))
_SEQUENCE = "key_snapshots"
_MOVABLE = ("source", "position", "activatable_at", "activated_at", "not_after_unix", "delay_waived", "auto_activate", "reason")


@lru_cache(maxsize=64)
def _move(names: tuple[str, ...]) -> Update:
    values: dict[str, Any] = {"state": bindparam("p_state"), **{name: bindparam(f"p_{name}") for name in names}}
    return update(keys).where(_c.kid == bindparam("p_kid"), _c.state == bindparam("p_from")).values(values)


class SqlKeys:
    """`Keys` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def all(self) -> list[KeyRecord]:
        """Every key ever known, by position."""
        return [_read(row) for row in self._tx.rows(_ALL)]

    def get(self, kid: str) -> KeyRecord | None:
        """The key of a kid."""
        row = self._tx.first(_GET, v=kid)
        return None if row is None else _read(row)

    def is_active(self, kid: str) -> bool:
        """Whether the key signs now; it stays so until this transaction has committed."""
        return bool(self._tx.once(_IS_ACTIVE, v=kid))

    def add(self, record: KeyRecord) -> None:
        """Insert a key."""
        row = {name: getattr(record, name) for name in KeyRecord.__slots__ if name != "public"}
        row |= {"x": b64u.encode(record.public), "delay_waived": int(record.delay_waived), "auto_activate": int(record.auto_activate)}
        self._tx.add(keys, row)
        self._tx.changed()

    def move(self, kid: str, from_state: str, to_state: str, **changes: Any) -> bool:
        """Change a key's state and some columns; False if it is no longer in `from_state`. Locks the row until the commit."""
        names = tuple(sorted(changes))
        if not set(names) <= set(_MOVABLE):
            raise ValueError("kid, purpose, material and creation of a key never change")
        values = {f"p_{name}": int(value) if isinstance(value, bool) else value for name, value in changes.items()}
        return self._tx.change(_move(names), p_kid=kid, p_from=from_state, p_state=to_state, **values) == 1


class SqlSnapshots:
    """`Snapshots` on SQL; `ring` is called once an appended snapshot is durable."""

    def __init__(self, tx: Tx, ring: Callable[[], None] = lambda: None) -> None:
        self._tx = tx
        self._ring = ring

    def take(self) -> int:
        """Wait for the turn of this key-changing transaction, and tell the last snapshot's number."""
        return self._tx.take(_SEQUENCE)

    def head(self) -> int:
        """The last snapshot's number, without a lock."""
        return self._tx.head(_SEQUENCE)

    def latest(self) -> Mapping[str, Any] | None:
        """The newest snapshot."""
        row = self._tx.first(_LATEST)
        return None if row is None else _decode(row.body)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Append the next snapshot. Raises `ValueError` if its number does not follow the last."""
        if entry["sequence"] != self._tx.next(_SEQUENCE):
            raise ValueError("a snapshot follows the one before it")
        self._tx.after_commit(self._ring)
        row = {"sequence": entry["sequence"], "generated_at": entry["generated_at"], "body": msgspec.json.encode(entry).decode()}
        self._tx.add(key_snapshots, row)

    def page(self, before: int | None, since: int | None, most: int) -> list[Mapping[str, Any]]:
        """Snapshots newest first below `before`, or ascending above `since`."""
        if since is not None:
            rows = self._tx.rows(_SINCE, p=since, most=most)
        elif before is not None:
            rows = self._tx.rows(_BEFORE, p=before, most=most)
        else:
            rows = self._tx.rows(_NEWEST, most=most)
        return [_decode(row.body) for row in rows]


def _decode(body: str) -> Mapping[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(body)
    return decoded


def _read(row: Any) -> KeyRecord:
    kept = {name: getattr(row, name) for name in KeyRecord.__slots__ if name != "public"}
    kept |= {"delay_waived": bool(row.delay_waived), "auto_activate": bool(row.auto_activate)}
    return KeyRecord(public=b64u.decode(row.x), **kept)
