"""Imported bundles on SQL."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select

from clawscope.identity.adapters.tables import import_marks, imports
from clawscope.identity.domain.bundle import ImportMark
from clawscope.infra.db.tx import Tx

_i, _m = imports.c, import_marks.c
_KNOWN = select(_i.imported_at).where(_i.owner_did == bindparam("o"), _i.bundle_hash_b64u == bindparam("h"))
_OF_SOURCE = (_m.issuer == bindparam("i"), _m.owner_did == bindparam("o"), _m.controller_did == bindparam("c"))
_MARK = select(import_marks).where(*_OF_SOURCE)
_DROP_MARK = delete(import_marks).where(*_OF_SOURCE)


class SqlImports:
    """`Imports` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def is_known(self, owner_did: str, bundle_hash_b64u: str) -> bool:
        """Whether this owner imported that bundle before."""
        return self._tx.first(_KNOWN, o=owner_did, h=bundle_hash_b64u) is not None

    def add(self, owner_did: str, bundle_hash_b64u: str, at: int) -> None:
        """Remember a bundle."""
        self._tx.add(imports, {"owner_did": owner_did, "bundle_hash_b64u": bundle_hash_b64u, "imported_at": at})

    def mark(self, issuer: str, owner_did: str, controller_did: str) -> ImportMark | None:
        """What was last taken of a source."""
        row = self._tx.first(_MARK, i=issuer, o=owner_did, c=controller_did)
        return None if row is None else ImportMark(row.sequence, row.bundle_hash_b64u, row.version)

    def set_mark(self, issuer: str, owner_did: str, controller_did: str, mark: ImportMark) -> None:
        """Remember what was taken of a source."""
        self._tx.change(_DROP_MARK, i=issuer, o=owner_did, c=controller_did)
        row = {"issuer": issuer, "owner_did": owner_did, "controller_did": controller_did, "sequence": mark.sequence}
        self._tx.add(import_marks, {**row, "bundle_hash_b64u": mark.bundle_hash_b64u, "version": mark.version})
