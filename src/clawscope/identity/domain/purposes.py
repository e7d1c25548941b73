"""What a challenge may be for, what it needs, and the context the server writes into it (identity.md §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BIND, REVOKE = "bind", "revoke"
REGISTER_CONTROLLER, UPDATE_POLICY = "register_controller", "update_sensitive_policy"
REGISTER_AGENT = "register_agent"
CONFIRM_ROTATION = "confirm_rotation"
TRANSFER_REQUEST, TRANSFER_CONFIRM = "transfer_controller_request", "transfer_controller_confirm"
TRANSFER_CANCEL = "transfer_controller_cancel"
DEACTIVATE_CONTROLLER, DEACTIVATE_AGENT = "deactivate_controller", "deactivate_agent"
EXPORT, IMPORT = "export_identity", "import_identity"
SET_PRIMARY = "set_primary_did"

TRANSFERS = {TRANSFER_REQUEST: "request", TRANSFER_CONFIRM: "confirm", TRANSFER_CANCEL: "cancel"}
WITH_CONTEXT_PARTS = frozenset({REGISTER_CONTROLLER, UPDATE_POLICY, REGISTER_AGENT})
ROLES = ("controller", "agent")


@dataclass(frozen=True, slots=True)
class Purpose:
    """`needs` and `takes` name members of the request; `context` names what the message states, in order; `fixed` are its constants."""

    needs: tuple[str, ...]
    takes: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)


_POLICY = Purpose(("controller_did",), ("allowed_sensitive_scopes", "policy_hash_b64u"), ("policy_hash_b64u",))
_CANCEL = Purpose(("controller_did",), (), ("transfer_action",), {"transfer_action": "cancel"})


def _transfer(action: str) -> Purpose:
    context = ("transfer_to_owner_did", "transfer_action")
    return Purpose(("controller_did", "transfer_to_owner_did"), (), context, {"transfer_action": action})


PURPOSES: Mapping[str, Purpose] = {
    REGISTER_CONTROLLER: _POLICY,
    UPDATE_POLICY: _POLICY,
    REGISTER_AGENT: Purpose(("controller_did", "agent_did")),
    CONFIRM_ROTATION: Purpose(
        ("rotation_role", "from_did", "to_did"), ("controller_did",), ("rotation_role", "from_did", "to_did", "controller_did")
    ),
    TRANSFER_REQUEST: _transfer("request"),
    TRANSFER_CONFIRM: _transfer("confirm"),
    TRANSFER_CANCEL: _CANCEL,
    DEACTIVATE_CONTROLLER: Purpose(("controller_did",), (), ("action",), {"action": "deactivate"}),
    DEACTIVATE_AGENT: Purpose(("controller_did", "agent_did"), (), ("action",), {"action": "deactivate"}),
    EXPORT: Purpose(
        ("controller_did",),
        ("agent_did", "audience"),
        ("controller_did", "agent_did", "audience", "export_version"),
        {"export_version": "1"},
    ),
    IMPORT: Purpose(("bundle_hash_b64u",), (), ("bundle_hash_b64u", "import_version"), {"import_version": "1"}),
    SET_PRIMARY: Purpose(("account_id",), (), ("account_id",)),
}

_MOST_PARTS = 8
_MOST_PART = 256
_OWN_NAMES = tuple(sorted({f"{name}=" for purpose in PURPOSES.values() for name in purpose.context}))


def are_context_parts(parts: Sequence[str]) -> bool:
    """Whether client-chosen context may stand in a message: few, printable, no separator, imitating no field of ours."""
    return len(parts) <= _MOST_PARTS and all(_is_part(part) for part in parts)


def stated(purpose: Purpose, bound: Mapping[str, Any]) -> dict[str, str]:
    """The context members of a message, by name, in their order; lists joined by commas."""
    values = {**bound, **purpose.fixed}
    found = {name: values.get(name) for name in purpose.context}
    return {name: ",".join(value) if isinstance(value, list | tuple) else str(value) for name, value in found.items() if value is not None}


def _is_part(part: str) -> bool:
    return 1 <= len(part) <= _MOST_PART and part.isprintable() and "|" not in part and not part.startswith(_OWN_NAMES)
