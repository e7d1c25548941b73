"""Refusal codes of identity (identity.md §12)."""

from __future__ import annotations

from dataclasses import replace

from clawscope.kernel.errors import Code, code

# §2, §3: DIDs and challenges
UNSUPPORTED_DID = code("UNSUPPORTED_DID", 400, "Only did:key with an Ed25519 key in base58btc acts here.")
INVALID_DID = code("INVALID_DID", 400, "This did:key is not in its one spelling, or its key is not admissible.")
INVALID_CONTEXT_PARTS = code("INVALID_CONTEXT_PARTS", 400, "context_parts are at most 8 printable texts that imitate no bound field.")
INVALID_SENSITIVE_POLICY = code("INVALID_SENSITIVE_POLICY", 400, "allowed_sensitive_scopes are 1 to 64 scopes that start control:.")
CHALLENGE_NOT_FOUND = code("CHALLENGE_NOT_FOUND", 404, "The challenge is unknown, spent, or long past.")
CHALLENGE_DID_MISMATCH = code("CHALLENGE_DID_MISMATCH", 400, "The challenge was made for another DID.")
CHALLENGE_PURPOSE_MISMATCH = code("CHALLENGE_PURPOSE_MISMATCH", 400, "The challenge was made for another purpose.")
CHALLENGE_CONTEXT_MISMATCH = code("CHALLENGE_CONTEXT_MISMATCH", 400, "The challenge was made for something else.")
CHALLENGE_EXPIRED = code("CHALLENGE_EXPIRED", 401, "The challenge has expired; ask for a new one.")
SIGNATURE_INVALID = code("SIGNATURE_INVALID", 401, "The signature is not by this DID over the challenge's message.")

# §4: bindings
BINDING_REVOKED = code("BINDING_REVOKED", 403, "This DID was revoked; it is never bound again.")
BINDING_NOT_FOUND = code("BINDING_NOT_FOUND", 404, "This DID was never bound here.")
OWNER_BINDING_REQUIRED = code("OWNER_BINDING_REQUIRED", 403, "The owner is not bound now.")
CONTROLLER_BINDING_REQUIRED = code("CONTROLLER_BINDING_REQUIRED", 403, "The controller is not bound now.")
AGENT_BINDING_REQUIRED = code("AGENT_BINDING_REQUIRED", 403, "The agent is not bound now.")
ROTATION_TARGET_BINDING_REQUIRED = code("ROTATION_TARGET_BINDING_REQUIRED", 403, "The DID to rotate to is not bound now.")
TRANSFER_TARGET_BINDING_REQUIRED = code("TRANSFER_TARGET_BINDING_REQUIRED", 403, "The new owner is not bound now.")

# §5: controllers and agents
CONTROLLER_NOT_FOUND = code("CONTROLLER_NOT_FOUND", 404, "No controller of that DID is registered.")
CONTROLLER_AGENT_NOT_FOUND = code("CONTROLLER_AGENT_NOT_FOUND", 404, "No agent of that DID is registered under this controller.")
CONTROLLER_INACTIVE = code("CONTROLLER_INACTIVE", 403, "The controller is not active.")
CONTROLLER_OWNER_MISMATCH = code("CONTROLLER_OWNER_MISMATCH", 403, "The controller belongs to another owner.")
# The one code with two statuses: registration answers 409, and its clients know both (§12).
CONTROLLER_TAKEN = replace(CONTROLLER_OWNER_MISMATCH, status=409)
# The issuer declares the same code: equal by value, registered once.
CONTROLLER_TRANSFER_FROZEN = Code("CONTROLLER_TRANSFER_FROZEN", 409, "The controller is being transferred; sensitive scopes wait.")
SUBJECT_CONSENT_REQUIRED = code("SUBJECT_CONSENT_REQUIRED", 403, "The subject's own signature is required here.")

# §6, §7: rotation and transfer
ROTATION_CONFLICT = code("ROTATION_CONFLICT", 409, "This DID was rotated out, or rotated to another DID.")
ROTATION_TARGET_CONFLICT = code("ROTATION_TARGET_CONFLICT", 409, "The DID to rotate to is in use, or was used before.")
TRANSFER_TARGET_INVALID = code("TRANSFER_TARGET_INVALID", 400, "A controller is not transferred to its own owner.")
TRANSFER_CONTEXT_MISMATCH = code("TRANSFER_CONTEXT_MISMATCH", 400, "The target of the transfer is not the one who signs.")
TRANSFER_ALREADY_PENDING = code("TRANSFER_ALREADY_PENDING", 409, "A transfer of this controller is already pending.")
TRANSFER_NOT_PENDING = code("TRANSFER_NOT_PENDING", 409, "No transfer of this controller is pending.")
TRANSFER_OWNER_MISMATCH = code("TRANSFER_OWNER_MISMATCH", 403, "The pending transfer is between other owners.")

# §8: export and import
EXPORT_SIGNING_NOT_CONFIGURED = code("EXPORT_SIGNING_NOT_CONFIGURED", 503, "No statement key signs exports here.", retry_after_s=2)
EXPORT_TOO_LARGE = code("EXPORT_TOO_LARGE", 413, "The controller has more agents than one bundle holds; export by agent.")
IMPORT_BUNDLE_INVALID = code("IMPORT_BUNDLE_INVALID", 400, "The bundle does not have the shape of an identity export.")
IMPORT_BUNDLE_TAMPERED = code("IMPORT_BUNDLE_TAMPERED", 409, "The bundle's payload is not what its hash says; never retry it.")
IMPORT_BUNDLE_STALE = code("IMPORT_BUNDLE_STALE", 409, "The bundle is too old; export anew from the source owner.")
IMPORT_BUNDLE_SIGNATURE_INVALID = code("IMPORT_BUNDLE_SIGNATURE_INVALID", 401, "The bundle is not signed by a trusted exporter.")
IMPORT_BUNDLE_NOT_YET_VALID = code("IMPORT_BUNDLE_NOT_YET_VALID", 409, "The bundle was exported in the future.")
IMPORT_AUDIENCE_MISMATCH = code("IMPORT_AUDIENCE_MISMATCH", 409, "The bundle is meant for another service.")
IMPORT_OWNER_MISMATCH = code("IMPORT_OWNER_MISMATCH", 409, "The bundle belongs to another owner.")
IMPORT_REVOKED_RECORD = code("IMPORT_REVOKED_RECORD", 409, "The bundle holds something that is inactive, or ended here.")
IMPORT_CONTROLLER_CONFLICT = code("IMPORT_CONTROLLER_CONFLICT", 409, "The controller stands here in a state that is not merged.")
IMPORT_AGENT_CONFLICT = code("IMPORT_AGENT_CONFLICT", 409, "An agent that is live here was rotated away in the bundle.")
IMPORT_ALIAS_CONFLICT = code("IMPORT_ALIAS_CONFLICT", 409, "An alias stands here with another target or role; settle continuity first.")

# §9: challenge to scoped token
INVALID_CANONICAL_CONTEXT = code("INVALID_CANONICAL_CONTEXT", 400, "controller_did and agent_did go together.")
OWNER_ATTESTATION_NOT_FOUND = code("OWNER_ATTESTATION_NOT_FOUND", 404, "There is no owner attestation of that id.")
TOKEN_EXCHANGE_CHALLENGE_USED = code("TOKEN_EXCHANGE_CHALLENGE_USED", 409, "A token was minted from this challenge before.")
TOKEN_EXCHANGE_CHALLENGE_NOT_FOUND = code("TOKEN_EXCHANGE_CHALLENGE_NOT_FOUND", 404, "The challenge is unknown or long past.")
TOKEN_EXCHANGE_OWNER_MISMATCH = code("TOKEN_EXCHANGE_OWNER_MISMATCH", 403, "The challenge was made for another owner.")
TOKEN_EXCHANGE_CHALLENGE_EXPIRED = code("TOKEN_EXCHANGE_CHALLENGE_EXPIRED", 409, "The challenge has expired; ask for a new one.")
TOKEN_EXCHANGE_SIGNATURE_INVALID = code("TOKEN_EXCHANGE_SIGNATURE_INVALID", 401, "The signature is not by the owner over the message.")
SCOPE_DEPENDENCY_NOT_CONFIGURED = code("SCOPE_DEPENDENCY_NOT_CONFIGURED", 503, "No issuer is connected to this service.", retry_after_s=2)
CLAWLOGS_APPEND_FAILED = code("CLAWLOGS_APPEND_FAILED", 503, "The transparency log took no leaf; nothing was minted.", retry_after_s=2)

# §10, §11: facts about owners, audit
DELEGATION_BOOTSTRAP_NOT_CONFIGURED = code(
    "DELEGATION_BOOTSTRAP_NOT_CONFIGURED", 503, "No key for delegation bootstraps is configured.", retry_after_s=2
)
DELEGATOR_BINDING_REQUIRED = code("DELEGATOR_BINDING_REQUIRED", 403, "The delegator is not bound now.")
DELEGATE_BINDING_REQUIRED = code("DELEGATE_BINDING_REQUIRED", 403, "The delegate is not bound now.")
INVALID_EXPORT_FORMAT = code("INVALID_EXPORT_FORMAT", 400, "The audit is exported as csv or jsonl.")
INVALID_ROSTER_MEMBERS = code("INVALID_ROSTER_MEMBERS", 400, "A roster has 1 to 500 distinct members, each a DID with a role.")
ROSTER_MEMBER_BINDING_REQUIRED = code("ROSTER_MEMBER_BINDING_REQUIRED", 403, "A member is not bound now.")
ROSTER_MANIFEST_SIGNATURE_INVALID = code(
    "ROSTER_MANIFEST_SIGNATURE_INVALID", 401, "The signature is not by the owner over the manifest's hash."
)
ROSTER_OWNER_MISMATCH = code("ROSTER_OWNER_MISMATCH", 403, "Another owner publishes this organisation's roster.")
ROSTER_MANIFEST_STALE = code("ROSTER_MANIFEST_STALE", 409, "issued_at is not above the last manifest's, or lies in the future.")
ROSTER_NOT_FOUND = code("ROSTER_NOT_FOUND", 404, "No roster of this organisation was published.")
