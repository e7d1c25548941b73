"""Issuances, the revocation feed, locks, approvals and kept answers in memory: the same promises as on SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from clawscope.issuer.domain.caller import AnswerKey
from clawscope.issuer.domain.feed import CUTOFF, KEY, FeedRow, Lock
from clawscope.issuer.domain.issuance import Issuance
from clawscope.issuer.domain.rows import ApprovalRequest, ApprovalRow, Filters, SpentReceipt
from clawscope.kernel.codes import STORE_UNAVAILABLE
from clawscope.kernel.principal import Reach

Times = tuple[int | None, int | None]
_FEED_NAMES = {field.name for field in fields(FeedRow)}


def between(at: int, times: Times) -> bool:
    """Whether a second lies in `from` ≤ t < `to`."""
    return (times[0] is None or at >= times[0]) and (times[1] is None or at < times[1])


def once_only(rows: Iterable[Any], new: Any, *names: str) -> None:
    """Refuse a row whose value of one of these columns is taken."""
    for row in rows:
        if any(getattr(new, name) is not None and getattr(row, name) == getattr(new, name) for name in names):
            raise STORE_UNAVAILABLE("somebody else was first; retry")


class MemoryRevocations:
    """`Revocations`."""

    def __init__(self) -> None:
        self.rows: list[FeedRow] = []
        self.sequence = 0
        self.issuances: Any = None

    def head(self) -> int:
        return self.sequence

    def queue(self) -> None:
        """One transaction at a time anyway."""

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence

    def add(self, row: FeedRow) -> None:
        once_only(self.rows, row, "jti", "token_hash", "cutoff_id", "sequence")
        self.rows.append(row)

    def find(self, jti: str | None, token_hash: str | None) -> FeedRow | None:
        by_hash = next((row for row in self.rows if token_hash is not None and row.token_hash == token_hash), None)
        return by_hash or next((row for row in self.rows if jti is not None and row.jti == jti), None)

    def cut_off(self, cutoff_id: str) -> FeedRow | None:
        return next((row for row in self.rows if row.cutoff_id == cutoff_id), None)

    def key_row(self, kid: str) -> FeedRow | None:
        return next((row for row in self.rows if row.kind == KEY and row.kid == kid), None)

    def since(self, sequence: int, most: int) -> list[FeedRow]:
        return [row for row in self.rows if row.sequence > sequence][:most]

    def page(
        self,
        before: int | None,
        most: int,
        reach: Reach,
        *,
        bare: bool = False,
        times: Times = (None, None),
        equal: Mapping[str, str] = {},
    ) -> list[FeedRow]:
        found = [row for row in self._chosen(reach, times, equal, bare=bare) if before is None or row.sequence < before]
        return found[::-1][:most]

    def export(self, reach: Reach, after: int, through: int, most: int, times: Times, equal: Mapping[str, str]) -> list[FeedRow]:
        return [row for row in self._chosen(reach, times, equal) if after < row.sequence <= through][:most]

    def still_hitting(self, now: int, after: int, most: int) -> list[FeedRow]:
        return [row for row in self.rows if row.sequence > after and row.exp >= now][:most]

    def _chosen(self, reach: Reach, times: Times, equal: Mapping[str, str], *, bare: bool = False) -> list[FeedRow]:
        own = {name: value for name, value in equal.items() if name in _FEED_NAMES}
        foreign = {name: value for name, value in equal.items() if name not in _FEED_NAMES}
        jtis = {row.claims["jti"] for row in self.issuances.matching(foreign)} if foreign else None
        return [
            row
            for row in self.rows
            if (bare or reach.covers(row.org_id, row.owner_did))
            and between(row.revoked_at, times)
            and all(getattr(row, name) == value for name, value in own.items())
            and (jtis is None or row.jti in jtis)
        ]


class MemoryIssuances:
    """`Issuances`. `expiries` are those of tokens no row stands for, by kid."""

    def __init__(self, revocations: MemoryRevocations) -> None:
        self.rows: list[Issuance] = []
        self.expiries: dict[str, list[int]] = {}
        self._revocations = revocations
        self._sequence = 0

    def head(self) -> int:
        return self._sequence

    def queue(self) -> None:
        """One transaction at a time anyway."""

    def next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def add(self, issuance: Issuance) -> None:
        once_only(self.rows, issuance, "token_hash", "sequence")
        if self.by_jti(issuance.claims["jti"]) is not None:
            raise STORE_UNAVAILABLE("somebody else was first; retry")
        self.rows.append(issuance)

    def by_jti(self, jti: str) -> Issuance | None:
        return next((row for row in self.rows if row.claims["jti"] == jti), None)

    def by_hash(self, token_hash: str) -> Issuance | None:
        return next((row for row in self.rows if row.token_hash == token_hash), None)

    def children_of(self, jti: str) -> int:
        return sum(1 for row in self.rows if row.parent_jti == jti)

    def descendants_of(self, jti: str, now: int) -> int:
        return sum(1 for row in self.rows if jti in row.claims.get("lineage", ()) and row.claims["exp"] > now)

    def live_rows(self, dimension: str, value: str, now: int, reach: Reach) -> list[Issuance]:
        return [row for row in self._of(dimension, value) if row.claims["exp"] > now and _within(row, reach)]

    def live_for(self, dimension: str, value: str, now: int, reach: Reach) -> int:
        cuts = [row for row in self._revocations.rows if row.kind == CUTOFF and (row.dimension, row.value) == (dimension, value)]
        revoked = {row.jti for row in self._revocations.rows} | {row.token_hash for row in self._revocations.rows}

        def is_cut(row: Issuance) -> bool:
            org_id, owner_did = row.claims.get("org_id"), row.claims.get("owner_did")
            return any(
                row.issued_at <= (cut.not_before or 0) and cut.org_id in (None, org_id) and cut.owner_did in (None, owner_did)
                for cut in cuts
            )

        live = self.live_rows(dimension, value, now, reach)
        return sum(1 for row in live if not is_cut(row) and not {row.claims["jti"], row.token_hash} & revoked)

    def live_of_kid(self, kid: str, now: int) -> int:
        return sum(1 for exp in self._expiries(kid) if exp > now)

    def latest_iat(self, dimension: str, value: str) -> int | None:
        return max((row.issued_at for row in self._of(dimension, value)), default=None)

    def latest_exp(self, kid: str) -> int | None:
        return max(self._expiries(kid), default=None)

    def page(self, filters: Filters, reach: Reach, before: int | None, most: int) -> list[tuple[int, Issuance]]:
        found = [row for row in self._chosen(filters, reach) if before is None or row.sequence < before]
        return [(row.sequence, row) for row in found[::-1][:most]]

    def after(self, sequence: int, most: int) -> list[tuple[int, Issuance]]:
        return [(row.sequence, row) for row in self.rows if row.sequence > sequence][:most]

    def export(self, filters: Filters, reach: Reach, after: int, through: int, most: int) -> list[tuple[int, Issuance]]:
        return [(row.sequence, row) for row in self._chosen(filters, reach) if after < row.sequence <= through][:most]

    def matching(self, equal: Mapping[str, str]) -> list[Issuance]:
        """Rows with these values."""
        return [row for row in self.rows if all(_value(row, name) == value for name, value in equal.items())]

    def _of(self, dimension: str, value: str) -> list[Issuance]:
        if dimension == "chain":
            controller, _, agent = value.partition(" ")
            return self.matching({"controller_did": controller, "agent_did": agent})
        return self.matching({dimension: value})

    def _chosen(self, filters: Filters, reach: Reach) -> list[Issuance]:
        times = (filters.from_at, filters.to_at)
        return [row for row in self.matching(filters.equal) if _within(row, reach) and between(row.issued_at, times)]

    def _expiries(self, kid: str) -> list[int]:
        return [*self.expiries.get(kid, ()), *(row.claims["exp"] for row in self.rows if row.kid == kid)]


class MemoryLocks:
    """`Locks`."""

    def __init__(self) -> None:
        self._rows: dict[str, Lock] = {}

    def all(self) -> Sequence[Lock]:
        return list(self._rows.values())

    def add(self, lock: Lock) -> None:
        once_only(self._rows.values(), lock, "cutoff_id")
        self._rows[lock.cutoff_id] = lock

    def get(self, cutoff_id: str) -> Lock | None:
        return self._rows.get(cutoff_id)

    def lift(self, cutoff_id: str) -> bool:
        return self._rows.pop(cutoff_id, None) is not None


class MemoryApprovals:
    """`Approvals`."""

    def __init__(self) -> None:
        self._sequence = 0
        self._requests: dict[str, ApprovalRequest] = {}
        self._spent: list[SpentReceipt] = []
        self._rows: list[ApprovalRow] = []

    def next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def head(self) -> int:
        return self._sequence

    def add_request(self, request: ApprovalRequest) -> None:
        once_only(self._requests.values(), request, "approval_id", "sequence")
        self._requests[request.approval_id] = request

    def request(self, approval_id: str) -> ApprovalRequest | None:
        return self._requests.get(approval_id)

    def decide(self, request: ApprovalRequest) -> bool:
        known = self._requests.get(request.approval_id)
        if known is None or known.state != "pending":
            return False
        self._requests[request.approval_id] = request
        return True

    def requests(self, state: str | None, reach: Reach, before: int | None, most: int) -> list[ApprovalRequest]:
        found = [
            row
            for row in self._requests.values()
            if state in (None, row.state) and reach.covers(row.org_id, row.owner_did) and (before is None or row.sequence < before)
        ]
        return found[::-1][:most]

    def spent(self, signer_did: str, receipt_id: str, payload_hash: str) -> SpentReceipt | None:
        def same(row: SpentReceipt) -> bool:
            return row.payload_hash == payload_hash or (row.signer_did, row.receipt_id) == (signer_did, receipt_id)

        return next(filter(same, self._spent), None)

    def spend(self, receipt: SpentReceipt) -> None:
        if self.spent(receipt.signer_did, receipt.receipt_id, receipt.payload_hash) is not None:
            raise STORE_UNAVAILABLE("somebody else was first; retry")
        self._spent.append(receipt)

    def add(self, row: ApprovalRow) -> None:
        once_only(self._rows, row, "sequence")
        self._rows.append(row)

    def page(self, filters: Filters, reach: Reach, before: int | None, most: int) -> list[tuple[int, ApprovalRow]]:
        found = [row for row in self._chosen(filters, reach) if before is None or row.sequence < before]
        return [(row.sequence, row) for row in found[::-1][:most]]

    def export(self, filters: Filters, reach: Reach, after: int, through: int, most: int) -> list[tuple[int, ApprovalRow]]:
        return [(row.sequence, row) for row in self._chosen(filters, reach) if after < row.sequence <= through][:most]

    def _chosen(self, filters: Filters, reach: Reach) -> list[ApprovalRow]:
        times = (filters.from_at, filters.to_at)
        return [
            row
            for row in self._rows
            if reach.covers(row.org_id, row.owner_did)
            and between(row.at, times)
            and all(getattr(row, name, None) == value for name, value in filters.equal.items())
        ]


class MemoryAnswers:
    """`Answers`."""

    def __init__(self) -> None:
        self.kept: dict[AnswerKey, tuple[int, Mapping[str, Any]]] = {}

    def keep(self, key: AnswerKey, status: int, answer: Mapping[str, Any]) -> None:
        self.kept[key] = (status, answer)


def _value(row: Issuance, name: str) -> Any:
    own = {"kid": row.kid, "issued_by": row.issued_by, "token_hash": row.token_hash}
    return own.get(name, row.claims.get(name))


def _within(row: Issuance, reach: Reach) -> bool:
    return reach.covers(row.claims.get("org_id"), row.claims.get("owner_did"))
