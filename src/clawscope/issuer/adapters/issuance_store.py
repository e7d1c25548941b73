"""Issuances on SQL: append-only, found by every claim auditors filter on."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Select, and_, bindparam, exists, func, or_, select, true

from clawscope.infra.db.tx import Tx
from clawscope.issuer.adapters.tables import issuances, revocations
from clawscope.issuer.domain.issuance import Issuance
from clawscope.issuer.domain.rows import Filters
from clawscope.kernel.principal import Reach

_c = issuances.c
_BY_JTI = select(issuances).where(_c.jti == bindparam("v"))
_BY_HASH = select(issuances).where(_c.token_hash == bindparam("v"))
_CHILDREN = select(func.count()).where(_c.parent_jti == bindparam("v"))
_own = issuances.alias("own")
# The root of a token's lineage is its own root, or the token itself.
_ROOT = func.coalesce(select(_own.c.root_jti).where(_own.c.jti == bindparam("v")).scalar_subquery(), bindparam("v"))
_DESCENDANTS = select(_c.record).where(_c.root_jti == _ROOT, _c.exp > bindparam("now"))
_KID_LIVE = select(func.count()).where(_c.kid == bindparam("v"), _c.exp > bindparam("now"))
_KID_EXP = select(func.max(_c.exp)).where(_c.kid == bindparam("v"))
_NEWEST = select(_c.issued_at).order_by(_c.sequence.desc()).limit(1)
_AFTER = select(issuances).where(_c.sequence > bindparam("s")).order_by(_c.sequence).limit(bindparam("most"))
_encode = msgspec.json.Encoder().encode


def selects(dimension: str, value: str) -> Any:
    """The condition that a row carries a cut-off's claim value; `chain` is `<controller> <agent>`."""
    if dimension == "chain":
        controller, _, agent = value.partition(" ")
        return and_(_c.controller_did == controller, _c.agent_did == agent)
    return _c[dimension] == value


def within(table_columns: Any, reach: Reach) -> Any:
    """The condition that a row lies within a caller's reach."""
    if reach.everything:
        return true()
    if reach.org_id is not None:
        return table_columns.org_id == reach.org_id
    return table_columns.owner_did == (reach.owner_did or "")


class SqlIssuances:
    """`Issuances` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def queue(self) -> None:
        """Wait for the turn of this issuing (or cutting-off) transaction: one at a time over all processes."""
        self._tx.take("issuances")

    def next_sequence(self) -> int:
        """The next number, in the order of commits."""
        return self._tx.next("issuances")

    def add(self, issuance: Issuance) -> None:
        """Append a row."""
        claims = issuance.claims
        lineage = claims.get("lineage")
        row = {
            name: claims.get(name) for name in ("jti", "sub", "owner_did", "controller_did", "agent_did", "mission_id", "run_id", "job_id")
        }
        self._tx.add(
            issuances,
            row
            | {
                "sequence": issuance.sequence,
                "token_hash": issuance.token_hash,
                "token_lane": claims.get("token_lane", "legacy"),
                "kid": issuance.kid,
                "client_id": claims.get("client_id"),
                "org_id": claims.get("org_id"),
                "issued_by": issuance.issued_by,
                "issued_by_reach": issuance.reach_kind,
                "parent_jti": issuance.parent_jti,
                "root_jti": lineage[0] if lineage else None,
                "issued_at": issuance.issued_at,
                "exp": claims["exp"],
                "record": _encode(_kept(issuance)).decode(),
            },
        )

    def by_jti(self, jti: str) -> Issuance | None:
        """The row of a `jti`."""
        return _one(self._tx.first(_BY_JTI, v=jti))

    def by_hash(self, token_hash: str) -> Issuance | None:
        """The row of a token hash."""
        return _one(self._tx.first(_BY_HASH, v=token_hash))

    def children_of(self, jti: str) -> int:
        """How many tokens were exchanged directly from this one."""
        return self._count(_CHILDREN, v=jti)

    def descendants_of(self, jti: str, now: int) -> int:
        """How many live tokens have this one in their lineage."""
        rows = self._tx.rows(_DESCENDANTS, v=jti, now=now)
        return sum(1 for row in rows if jti in msgspec.json.decode(row.record)["claims"].get("lineage", ()))

    def live_for(self, dimension: str, value: str, now: int, reach: Reach) -> int:
        """How many unexpired tokens carry a claim value, within a reach; one revoked by name or by a former cut-off counts no more."""
        r = revocations.c
        cut = exists().where(
            r.dimension == dimension,
            r.value == value,
            r.not_before >= _c.issued_at,
            or_(r.org_id.is_(None), r.org_id == _c.org_id),
            or_(r.owner_did.is_(None), r.owner_did == _c.owner_did),
        )
        revoked = exists().where(r.jti == _c.jti)
        return self._count(select(func.count()).where(selects(dimension, value), _c.exp > now, ~cut, ~revoked, within(_c, reach)))

    def live_of_kid(self, kid: str, now: int) -> int:
        """How many unexpired tokens a key has signed."""
        return self._count(_KID_LIVE, v=kid, now=now)

    def live_rows(self, dimension: str, value: str, now: int, reach: Reach) -> list[Issuance]:
        """The unexpired tokens that carry a claim value, within a reach."""
        return [_read(row) for row in self._tx.rows(select(issuances).where(selects(dimension, value), _c.exp > now, within(_c, reach)))]

    def latest_iat(self, dimension: str, value: str) -> int | None:
        """The highest `iat` yet issued for a claim value."""
        row = self._tx.first(select(func.max(_c.issued_at)).where(selects(dimension, value)))
        return None if row is None or row[0] is None else int(row[0])

    def latest_exp(self, kid: str) -> int | None:
        """The latest `exp` a key has signed."""
        row = self._tx.first(_KID_EXP, v=kid)
        return None if row is None or row[0] is None else int(row[0])

    def page(self, filters: Filters, reach: Reach, before: int | None, most: int) -> list[tuple[int, Issuance]]:
        """Rows newest first, below a position."""
        conditions = [within(_c, reach), *(_c[name] == value for name, value in filters.equal.items()), *_times(filters, before)]
        rows = self._tx.rows(select(issuances).where(*conditions).order_by(_c.sequence.desc()).limit(most))
        return [(row.sequence, _read(row)) for row in rows]

    def after(self, sequence: int, most: int) -> list[tuple[int, Issuance]]:
        """Rows in commit order above a sequence."""
        return [(row.sequence, _read(row)) for row in self._tx.rows(_AFTER, s=sequence, most=most)]

    def export(self, filters: Filters, reach: Reach, after: int, through: int, most: int) -> list[tuple[int, Issuance]]:
        """Rows in commit order above `after` up to `through`."""
        conditions = [within(_c, reach), _c.sequence > after, _c.sequence <= through, *(_c[n] == v for n, v in filters.equal.items())]
        rows = self._tx.rows(select(issuances).where(*conditions, *_times(filters, None)).order_by(_c.sequence).limit(most))
        return [(row.sequence, _read(row)) for row in rows]

    def latest_second(self) -> int:
        """The second of the newest row; 0 without one."""
        return self._count(_NEWEST)

    def head(self) -> int:
        """The last committed sequence."""
        return self._tx.head("issuances")

    def _count(self, statement: Select[Any], **parameters: Any) -> int:
        row = self._tx.first(statement, **parameters)
        return int(row[0]) if row else 0


def _times(filters: Filters, before: int | None) -> list[Any]:
    found = []
    if filters.from_at is not None:
        found.append(_c.issued_at >= filters.from_at)
    if filters.to_at is not None:
        found.append(_c.issued_at < filters.to_at)
    if before is not None:
        found.append(_c.sequence < before)
    return found


def _kept(issuance: Issuance) -> dict[str, Any]:
    return {
        "claims": issuance.claims,
        "policy_version": issuance.policy_version,
        "policy_tier": issuance.policy_tier,
        "chain_verified": issuance.chain_verified,
        "route": issuance.route,
        "evidence_required": issuance.evidence_required,
        "request_id": issuance.request_id,
        "approval_receipt_id": issuance.approval_receipt_id,
    }


def _one(row: Any) -> Issuance | None:
    return None if row is None else _read(row)


def _read(row: Any) -> Issuance:
    kept = msgspec.json.decode(row.record)
    kept["evidence_required"] = tuple(kept["evidence_required"])
    return Issuance(
        sequence=row.sequence,
        token_hash=row.token_hash,
        issued_at=row.issued_at,
        kid=row.kid,
        issued_by=row.issued_by,
        reach_kind=row.issued_by_reach,
        parent_jti=row.parent_jti,
        **kept,
    )
