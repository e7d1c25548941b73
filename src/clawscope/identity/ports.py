"""What identity asks of its store, of the issuer, and of whoever holds the statement key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, TypeVar

from clawscope.identity.domain.audit import AuditRow
from clawscope.identity.domain.bundle import ImportMark
from clawscope.identity.domain.challenge import Challenge
from clawscope.identity.domain.records import Agent, Alias, Binding, Controller
from clawscope.identity.domain.roster import Roster
from clawscope.identity.domain.scope_challenge import ScopeChallenge
from clawscope.kernel.events import Event
from clawscope.protocol.keys import SigningKey

Value = TypeVar("Value")


class Challenges(Protocol):
    """Open challenges; one is spent by whoever deletes it."""

    def add(self, challenge: Challenge) -> None: ...
    def get(self, challenge_id: str) -> Challenge | None: ...
    def spend(self, challenge_id: str) -> bool: ...
    def open_of(self, owner_did: str, now: int) -> int: ...
    def expire(self, before: int) -> int: ...


class Bindings(Protocol):
    """DIDs proved by their keys; never deleted."""

    def get(self, did: str) -> Binding | None: ...
    def active_among(self, dids: Collection[str]) -> frozenset[str]: ...
    def add(self, binding: Binding) -> None: ...
    def revoke(self, did: str, at: int, reason: str | None) -> None: ...


class Controllers(Protocol):
    """Controller records, found by DID; never deleted."""

    def get(self, controller_did: str) -> Controller | None: ...
    def add(self, controller: Controller) -> None: ...
    def change(self, controller: Controller) -> None: ...
    def rotated_to(self, controller_did: str) -> list[Controller]: ...
    def overdue(self, now: int, most: int) -> list[Controller]: ...


class Agents(Protocol):
    """Agents under controllers; never deleted."""

    def next_position(self) -> int: ...
    def get(self, controller_did: str, agent_did: str) -> Agent | None: ...
    def add(self, agent: Agent) -> None: ...
    def change(self, agent: Agent) -> None: ...
    def all_of(self, controller_did: str) -> list[Agent]: ...
    def active_of(self, controller_did: str, most: int) -> list[Agent]: ...
    def page(self, controller_did: str, after: int, most: int) -> list[tuple[int, Agent]]: ...
    def chains_of(self, did: str) -> int: ...


class Aliases(Protocol):
    """Former DIDs and where they lead; `controller_did` is empty for a controller's own."""

    def find(self, role: str, controller_did: str, from_did: str) -> Alias | None: ...
    def leading_to(self, role: str, controller_did: str, final_did: str) -> list[Alias]: ...
    def of_controller(self, controller_did: str) -> list[Alias]: ...
    def put(self, alias: Alias) -> None: ...
    def drop(self, alias: Alias) -> None: ...


class ScopeChallenges(Protocol):
    """Challenges that are exchanged for scoped tokens; used ones are known for a day."""

    def add(self, challenge: ScopeChallenge) -> None: ...
    def get(self, challenge_id: str) -> ScopeChallenge | None: ...
    def use(self, challenge_id: str, at: int) -> bool: ...
    def expire(self, before: int) -> int: ...


class Rosters(Protocol):
    """Manifests of organisations; all are kept."""

    def latest(self, org_id: str) -> Roster | None: ...
    def add(self, roster: Roster) -> None: ...


class Imports(Protocol):
    """Bundles taken before; never forgotten."""

    def is_known(self, owner_did: str, bundle_hash_b64u: str) -> bool: ...
    def add(self, owner_did: str, bundle_hash_b64u: str, at: int) -> None: ...
    def mark(self, issuer: str, owner_did: str, controller_did: str) -> ImportMark | None: ...
    def set_mark(self, issuer: str, owner_did: str, controller_did: str, mark: ImportMark) -> None: ...


class Audit(Protocol):
    """The append-only audit chain."""

    def append(self, row: AuditRow) -> AuditRow: ...
    def last(self) -> tuple[int, str]: ...
    def page(self, before: int | None, most: int, event_type: str | None, subject_did: str | None) -> list[AuditRow]: ...


class Events(Protocol):
    """The outbox."""

    def put(self, event: Event) -> None: ...


class Work(Protocol):
    """Identity's unit of work: everything here commits together or not at all, one transaction after the other.

    `transaction` is what neighbours in this process take part in.
    """

    challenges: Challenges
    bindings: Bindings
    controllers: Controllers
    agents: Agents
    aliases: Aliases
    scope_challenges: ScopeChallenges
    rosters: Rosters
    imports: Imports
    audit: Audit
    events: Events
    transaction: Any


class Store(Protocol):
    """Transactions as plain functions."""

    async def transact(self, function: Callable[[Any], Value]) -> Value: ...
    async def read(self, function: Callable[[Any], Value]) -> Value: ...


class CutOffs(Protocol):
    """Ends tokens minted from what ended (tokens.md §4.2)."""

    def cut_off(self, transaction: Any, dimension: str, value: str, reason: str) -> None:
        """Revoke, in this transaction, every token with `iat` ≤ now that matches, and its descendants.

        `dimension` is a claim (`sub owner_did controller_did agent_did delegator_did`) and `value` its DID; or `chain`, value
        `<controller> <agent>`; or `controller_owner`, value `<controller> <owner>`; or `controller_scopes`, value `<controller>` and
        the scopes, joined by blanks: tokens of that controller holding one of them.
        """
        ...


class StatementKeys(Protocol):
    """The keys that sign our statements (keys.md §1)."""

    def current(self) -> tuple[str, SigningKey] | None:
        """The kid and key that sign now, if any."""
        ...

    def public(self, kid: str) -> bytes | None:
        """The public key of a kid that is or was ours and is still accepted."""
        ...


class ScopedIssuer(Protocol):
    """Mints the token of an exchange, as itself: no header of the request changes who identity is to the issuer."""

    async def issue(self, asked: Mapping[str, Any], within: Callable[[Any, Mapping[str, Any]], None]) -> Mapping[str, Any]:
        """Mint what is asked: the members of an issue request, `tier` and `token_lane`; the legacy lane never holds sensitive scopes.

        `within(work, minted)` is called with identity's unit of work on the minting transaction: what it raises mints nothing. The
        answer names `token token_hash policy_version token_lane kid iat exp`. Raises the issuer's refusals with their status.
        """
        ...


class Leaves(Protocol):
    """The transparency log, taking part in a transaction."""

    def append(self, transaction: Any, log_id: str, leaf_hash_b64u: str) -> None:
        """Append a leaf. Raises a refusal when the log takes none."""
        ...
