"""Bindings, controllers, agents and aliases, and how each is shown (identity.md §4–§7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from clawscope.identity.domain.policy import policy_body, policy_hash
from clawscope.kernel.clock import iso_ms

ACTIVE, PENDING, TRANSFERRED = "active", "transfer_pending", "transferred"
SIGNED, OWNER_ONLY = "signed", "owner_only"


@dataclass(frozen=True, slots=True)
class Binding:
    """A DID proved by its key; times in epoch seconds. Revoked is final."""

    did: str
    bound_at: int
    revoked_at: int | None = None

    @property
    def active(self) -> bool:
        """Whether it was never revoked."""
        return self.revoked_at is None


@dataclass(frozen=True, slots=True)
class Transfer:
    """A controller offered to another owner; `former_state` comes back when it is cancelled or runs out."""

    to_owner_did: str
    requested_at: int
    expires_at: int
    former_state: str


@dataclass(frozen=True, slots=True)
class Controller:
    """A DID an owner put in charge. `rotated_to_did` marks a record that lives on under another DID; `version` rises with every change."""

    controller_did: str
    owner_did: str
    active: bool
    registered_at: int
    last_challenge_id: str
    allowed_sensitive_scopes: tuple[str, ...]
    policy_updated_at: int
    consent: str
    origin_issuer: str
    version: int = 1
    transfer_state: str = ACTIVE
    transfer: Transfer | None = None
    transferred_at: int | None = None
    transferred_from_owner_did: str | None = None
    rotated_from_did: str | None = None
    rotation_confirmed_at: int | None = None
    rotated_to_did: str | None = None
    export_sequence: int = 0

    @property
    def is_pending(self) -> bool:
        """Whether a transfer waits for its confirmation."""
        return self.transfer is not None

    @property
    def policy_hash(self) -> str:
        """The wire hash of its policy."""
        return policy_hash(self.owner_did, self.allowed_sensitive_scopes)

    def as_of(self, now: int) -> Controller:
        """The record as every read and check takes it: a transfer past its time is gone (§7)."""
        if self.transfer is None or now <= self.transfer.expires_at:
            return self
        return self.without_transfer()

    def without_transfer(self) -> Controller:
        """The record with its former transfer state."""
        assert self.transfer is not None
        return replace(self, transfer=None, transfer_state=self.transfer.former_state)

    def body(self) -> dict[str, Any]:
        """The record as it is answered."""
        pending = self.transfer
        optional = {
            "transfer_to_owner_did": pending.to_owner_did if pending else None,
            **timed("transfer_requested_at", pending.requested_at if pending else None),
            **timed("transfer_expires_at", pending.expires_at if pending else None),
            **timed("transferred_at", self.transferred_at),
            "transferred_from_owner_did": self.transferred_from_owner_did,
            "rotated_from_did": self.rotated_from_did,
            **timed("rotation_confirmed_at", self.rotation_confirmed_at),
        }
        return {
            "controller_did": self.controller_did,
            "owner_did": self.owner_did,
            "active": self.active,
            **timed("registered_at", self.registered_at),
            "last_challenge_id": self.last_challenge_id,
            "policy": policy_body(self.owner_did, self.allowed_sensitive_scopes, self.policy_updated_at),
            "transfer_state": self.transfer_state,
            "version": self.version,
            "origin_issuer": self.origin_issuer,
            "consent": self.consent,
            **present(optional),
        }


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent under one controller; owner and policy are the controller's. `position` orders lists."""

    controller_did: str
    agent_did: str
    active: bool
    registered_at: int
    last_challenge_id: str
    consent: str
    position: int
    rotated_from_did: str | None = None
    rotation_confirmed_at: int | None = None
    rotated_to_did: str | None = None

    def body(self, controller: Controller) -> dict[str, Any]:
        """The binding as it is answered; `controller` is the record it stands under."""
        return {
            "binding_version": "1",
            "controller_did": self.controller_did,
            "agent_did": self.agent_did,
            "owner_did": controller.owner_did,
            "active": self.active,
            **timed("registered_at", self.registered_at),
            "last_challenge_id": self.last_challenge_id,
            "policy_hash_b64u": controller.policy_hash,
            "consent": self.consent,
            **present({"rotated_from_did": self.rotated_from_did, **timed("rotation_confirmed_at", self.rotation_confirmed_at)}),
        }


@dataclass(frozen=True, slots=True)
class Alias:
    """A former DID and where it leads. An agent's alias belongs to one controller; `final_did` is where all on the way end (§6)."""

    role: str
    from_did: str
    to_did: str
    final_did: str
    owner_did: str
    confirmed_at: int
    controller_did: str | None = None

    def body(self) -> dict[str, Any]:
        """The alias as it is answered."""
        return {
            "alias_version": "1",
            "role": self.role,
            "from_did": self.from_did,
            "to_did": self.to_did,
            "owner_did": self.owner_did,
            "active": True,
            **timed("confirmed_at", self.confirmed_at),
            **present({"controller_did": self.controller_did}),
        }


def timed(name: str, at: int | None) -> dict[str, Any]:
    """A stored `*_at` with its `*_iso` twin; both `None` when absent."""
    return {name: at, f"{name}_iso": None if at is None else iso_ms(at)}


def present(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are there."""
    return {name: value for name, value in members.items() if value is not None}
