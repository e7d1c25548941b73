"""Refusal codes of the issuer (tokens.md §12); verification codes live in `protocol/codes.py`."""

from __future__ import annotations

from clawscope.kernel.errors import code

# §2: fields, tier, lifetime
INVALID_TTL = code("INVALID_TTL", 400, "ttl_sec must be above zero.")
INVALID_EXP = code("INVALID_EXP", 400, "exp must be epoch seconds above zero.")
TTL_EXPIRED = code("TTL_EXPIRED", 400, "The token would be expired at once.")
TTL_TOO_LONG = code("TTL_TOO_LONG", 400, "The lifetime exceeds what is allowed.")
TIER_UNKNOWN = code("TIER_UNKNOWN", 400, "There is no tier of that name.")
TIER_NOT_ALLOWED = code("TIER_NOT_ALLOWED", 403, "The caller may not use this tier.")
SUB_INVALID = code("SUB_INVALID", 400, "sub must be scheme:value in printable ASCII, at most 512 characters.")
SCOPE_TOO_LARGE = code("SCOPE_TOO_LARGE", 400, "Too many scopes in one request.")
SCOPE_ITEM_TOO_LONG = code("SCOPE_ITEM_TOO_LONG", 400, "A scope is too long.")
SCOPE_INVALID = code("SCOPE_INVALID", 400, "A scope holds a character or a wildcard where none may stand.")
SCOPE_WILDCARD_NOT_ALLOWED = code("SCOPE_WILDCARD_NOT_ALLOWED", 400, "The tier allows no wildcard scopes.")
SCOPE_NOT_ALLOWED = code("SCOPE_NOT_ALLOWED", 400, "The tier does not allow this scope.")
AUDIENCE_NOT_ALLOWED = code("AUDIENCE_NOT_ALLOWED", 400, "The tier does not allow this audience.")
OWNER_DID_INVALID = code("OWNER_DID_INVALID", 400, "owner_did is not a DID.")
CONTROLLER_DID_INVALID = code("CONTROLLER_DID_INVALID", 400, "controller_did is not a DID.")
AGENT_DID_INVALID = code("AGENT_DID_INVALID", 400, "agent_did is not a DID.")
TOKEN_LANE_INVALID = code("TOKEN_LANE_INVALID", 400, "token_lane is legacy or canonical.")
TOKEN_LANE_MISMATCH = code("TOKEN_LANE_MISMATCH", 400, "token_lane is not the lane of this route.")
POLICY_HASH_INVALID = code("POLICY_HASH_INVALID", 400, "policy_hash_b64u is not a hash of 43 base64url characters.")
CONTROL_POLICY_HASH_INVALID = code(
    "CONTROL_POLICY_HASH_INVALID", 400, "control_plane_policy_hash_b64u is not a hash of 43 base64url characters."
)
POLICY_PIN_REQUIRED = code("POLICY_PIN_REQUIRED", 400, "The tier demands a policy pin.")
POLICY_UNKNOWN = code("POLICY_UNKNOWN", 400, "The pinned policy is not in the registry.")
BINDING_REQUIRED = code("BINDING_REQUIRED", 400, "The tier demands a run or job binding.")
EVIDENCE_REQUIRED = code("EVIDENCE_REQUIRED", 400, "The tier demands a promise of evidence for this scope.")
PAYMENT_ACCOUNT_CLAIM_INVALID = code("PAYMENT_ACCOUNT_CLAIM_INVALID", 400, "payment_account_did is not a DID.")
SPEND_CAP_INVALID = code("SPEND_CAP_INVALID", 400, "spend_cap is dollars from 0 to 100000000 with at most 6 decimals.")
SPEND_CAP_TOO_HIGH = code("SPEND_CAP_TOO_HIGH", 400, "spend_cap exceeds the tier's maximum.")
DELEGATOR_DID_INVALID = code("DELEGATOR_DID_INVALID", 400, "delegator_did is not a DID.")
DELEGATE_DID_INVALID = code("DELEGATE_DID_INVALID", 400, "delegate_did is not a DID.")
DELEGATION_POLICY_HASH_INVALID = code(
    "DELEGATION_POLICY_HASH_INVALID", 400, "delegation_policy_hash_b64u is not a hash of 43 base64url characters."
)
DELEGATION_SPEND_CAP_INVALID = code("DELEGATION_SPEND_CAP_INVALID", 400, "delegation_spend_cap_minor is text of 1 to 18 digits.")
DELEGATION_EXPIRED = code("DELEGATION_EXPIRED", 400, "The delegation has expired.")
DELEGATION_INCOMPLETE = code("DELEGATION_INCOMPLETE", 400, "delegation_id, delegator_did and delegate_did go together.")
DELEGATION_CANONICAL_REQUIRED = code("DELEGATION_CANONICAL_REQUIRED", 400, "A delegation needs the canonical lane.")
DELEGATE_DID_SUB_MISMATCH = code("DELEGATE_DID_SUB_MISMATCH", 400, "delegate_did must be sub.")
DELEGATOR_OWNER_MISMATCH = code("DELEGATOR_OWNER_MISMATCH", 400, "delegator_did must be owner_did.")

# §2.3, §2.4: chain and lane
CANONICAL_AGENT_SUB_MISMATCH = code("CANONICAL_AGENT_SUB_MISMATCH", 400, "In the canonical lane agent_did must be sub.")
CANONICAL_CHAIN_REQUIRED = code("CANONICAL_CHAIN_REQUIRED", 400, "The canonical lane needs owner_did, controller_did and agent_did.")
CONTROL_PLANE_NOT_CONFIGURED = code("CONTROL_PLANE_NOT_CONFIGURED", 503, "No identity service is configured.", retry_after_s=2)
CONTROL_CHAIN_NOT_FOUND = code("CONTROL_CHAIN_NOT_FOUND", 404, "The identity service does not know this chain.")
CONTROL_CHAIN_LOOKUP_FAILED = code("CONTROL_CHAIN_LOOKUP_FAILED", 502, "The identity service gave no usable answer.")
CONTROL_CHAIN_INACTIVE = code("CONTROL_CHAIN_INACTIVE", 403, "The chain, its controller or its agent is not active.")
CONTROL_CHAIN_OWNER_MISMATCH = code("CONTROL_CHAIN_OWNER_MISMATCH", 403, "The chain belongs to another owner.")
CONTROL_CHAIN_CONTEXT_MISMATCH = code("CONTROL_CHAIN_CONTEXT_MISMATCH", 403, "The chain record contradicts the request or itself.")
CONTROLLER_TRANSFER_FROZEN = code("CONTROLLER_TRANSFER_FROZEN", 409, "The controller is being transferred; sensitive scopes wait.")
SENSITIVE_SCOPE_NOT_ALLOWED = code("SENSITIVE_SCOPE_NOT_ALLOWED", 403, "The controller's policy does not allow this sensitive scope.")
CONTROL_POLICY_HASH_MISMATCH = code("CONTROL_POLICY_HASH_MISMATCH", 409, "The controller's policy has changed.")
LEGACY_EXCHANGE_DISABLED = code("LEGACY_EXCHANGE_DISABLED", 403, "The legacy lane is switched off.")
LEGACY_SENSITIVE_SCOPE_FORBIDDEN = code("LEGACY_SENSITIVE_SCOPE_FORBIDDEN", 403, "Sensitive scopes need the canonical lane.")

# §2.2: caller, approval, locks, policy, commit
ISSUER_SCOPE_EXCEEDED = code("ISSUER_SCOPE_EXCEEDED", 403, "The caller may not hand out this scope.")
APPROVAL_REQUIRED = code("APPROVAL_REQUIRED", 403, "This scope is minted from a human approval only.")
SUBJECT_CUT_OFF = code("SUBJECT_CUT_OFF", 403, "This subject is cut off and locked.")
POLICY_CONFIG_INVALID = code("POLICY_CONFIG_INVALID", 503, "The tier policy cannot be read.", retry_after_s=2)
ISSUE_FAILED = code("ISSUE_FAILED", 500, "The token could not be issued; nothing was kept.")
IDEMPOTENCY_REPLAY_UNAVAILABLE = code("IDEMPOTENCY_REPLAY_UNAVAILABLE", 409, "The key of the first answer signs no longer.")

# §3.3, §4, §5
TRANSITION_UNKNOWN = code("TRANSITION_UNKNOWN", 400, "There is no transition of that name.")
INVALID_TOKEN = code("INVALID_TOKEN", 400, "The token to revoke is not well-formed.")
INVALID_TOKEN_HASH = code("INVALID_TOKEN_HASH", 400, "token_hash is not 64 hex digits.")
REVOKE_NOT_ALLOWED = code("REVOKE_NOT_ALLOWED", 403, "This lies beyond the caller's reach.")
CUTOFF_DIMENSION_UNKNOWN = code("CUTOFF_DIMENSION_UNKNOWN", 400, "There is no cut-off dimension of that name.")
REVOCATION_SEQUENCE_AHEAD = code("REVOCATION_SEQUENCE_AHEAD", 409, "The sequence is beyond the feed: take a fresh snapshot.")
TOO_MANY_SUBSCRIBERS = code("TOO_MANY_SUBSCRIBERS", 503, "All event streams are taken.", retry_after_s=2)
LEGACY_AUTH_FORBIDDEN = code("LEGACY_AUTH_FORBIDDEN", 401, "This route takes a capability token, not another credential.")
TOKEN_REQUIRED = code("TOKEN_REQUIRED", 401, "This route needs a capability token.")
TOKEN_CONTROL_TRANSITION_FORBIDDEN = code("TOKEN_CONTROL_TRANSITION_FORBIDDEN", 403, "The token does not permit this transition.")

# §8: approvals
APPROVAL_ALREADY_DECIDED = code("APPROVAL_ALREADY_DECIDED", 409, "This approval request was decided already.")
APPROVAL_REQUEST_EXPIRED = code("APPROVAL_REQUEST_EXPIRED", 409, "This approval request is too old to decide.")
HUMAN_APPROVAL_APPROVER_NOT_TRUSTED = code("HUMAN_APPROVAL_APPROVER_NOT_TRUSTED", 403, "The receipt's signer is not trusted here.")
HUMAN_APPROVAL_EXPIRED = code("HUMAN_APPROVAL_EXPIRED", 403, "The receipt is too old or not yet valid.")
HUMAN_APPROVAL_NOT_GRANTED = code("HUMAN_APPROVAL_NOT_GRANTED", 403, "The receipt does not grant.")
HUMAN_APPROVAL_AGENT_MISMATCH = code("HUMAN_APPROVAL_AGENT_MISMATCH", 403, "The receipt is for another agent.")
HUMAN_APPROVAL_SCOPE_MISMATCH = code("HUMAN_APPROVAL_SCOPE_MISMATCH", 403, "The receipt's scope hash is not that of its scopes.")
HUMAN_APPROVAL_EXCEEDED = code("HUMAN_APPROVAL_EXCEEDED", 403, "More is asked than the receipt grants.")
HUMAN_APPROVAL_ALREADY_EXCHANGED = code("HUMAN_APPROVAL_ALREADY_EXCHANGED", 409, "The receipt was exchanged before.")

# §9, §10: OAuth
EXCHANGE_SCOPE_WIDENED = code("EXCHANGE_SCOPE_WIDENED", 400, "A child token may not hold a scope its parent does not cover.")
EXCHANGE_AUDIENCE_WIDENED = code("EXCHANGE_AUDIENCE_WIDENED", 400, "A child token may not name an audience its parent does not.")
EXCHANGE_TTL_WIDENED = code("EXCHANGE_TTL_WIDENED", 400, "A child token may not outlive its parent.")
EXCHANGE_SPEND_CAP_WIDENED = code("EXCHANGE_SPEND_CAP_WIDENED", 400, "A child token may not spend more than its parent.")
EXCHANGE_BINDING_CHANGED = code("EXCHANGE_BINDING_CHANGED", 400, "A child token keeps its parent's run, job, mission and pin.")
EXCHANGE_DEPTH_EXCEEDED = code("EXCHANGE_DEPTH_EXCEEDED", 400, "The lineage is as deep as it may be.")
EXCHANGE_LIMIT = code("EXCHANGE_LIMIT", 400, "This token has as many children as it may.")
EXCHANGE_ACTOR_NOT_ALLOWED = code("EXCHANGE_ACTOR_NOT_ALLOWED", 400, "The subject token does not let this actor act.")
UNSUPPORTED_GRANT_TYPE = code("UNSUPPORTED_GRANT_TYPE", 400, "The grant type is not offered.")
UNSUPPORTED_TOKEN_TYPE = code("UNSUPPORTED_TOKEN_TYPE", 400, "The token type is not offered.")
UNAUTHORIZED_CLIENT = code("UNAUTHORIZED_CLIENT", 400, "This client may not do that.")
