"""What identity's audit rows and events are called (identity.md §11)."""

from __future__ import annotations

from clawscope.kernel.events import event_name


def _named(event_type: str, sentence: str) -> str:
    BUS_NAMES[event_type] = event_name(f"identity.{event_type.replace('.', '_')}.v1", sentence)
    return event_type


BUS_NAMES: dict[str, str] = {}

BINDING_BOUND = _named("binding.bound", "A DID was bound by its key.")
BINDING_REVOKED = _named("binding.revoked", "A DID revoked its binding for ever.")
CONTROLLER_REGISTERED = _named("controller_registered", "An owner put a controller in charge.")
CONTROLLER_RECLAIMED = _named("controller_reclaimed", "A controller's own signature displaced another owner's record.")
AGENT_REGISTERED = _named("controller_agent_registered", "An agent was put under a controller.")
POLICY_UPDATED = _named("controller_policy_updated", "A controller's sensitive policy was set.")
CONTROLLER_ROTATED = _named("controller_rotation_confirmed", "A controller continues under another DID.")
AGENT_ROTATED = _named("agent_rotation_confirmed", "An agent continues under another DID.")
TRANSFER_REQUESTED = _named("controller_transfer_requested", "An owner offered a controller to another owner.")
TRANSFER_CONFIRMED = _named("controller_transfer_confirmed", "A controller changed hands.")
TRANSFER_CANCELLED = _named("controller_transfer_cancelled", "A pending transfer was called off.")
TRANSFER_EXPIRED = _named("controller_transfer_expired", "A pending transfer ran out of time.")
CONTROLLER_DEACTIVATED = _named("controller_deactivated", "A controller was taken out of service.")
AGENT_DEACTIVATED = _named("agent_deactivated", "An agent was taken out of service.")
EXPORTED = _named("identity_export_generated", "A controller was exported with its agents and aliases.")
IMPORTED = _named("identity_import_completed", "A controller was imported with its agents and aliases.")
SCOPE_EXCHANGED = _named("scope_token.exchanged", "A signed challenge was exchanged for a scoped token.")
ROSTER_REGISTERED = _named("org_roster.manifest_registered", "An organisation's roster was published.")

TOKENS_CUT_OFF = event_name("identity.tokens_cut_off.v1", "Tokens minted from what ended were cut off.")
REQUEST_REFUSED = event_name("identity.request_refused.v1", "A request to identity was refused.")
