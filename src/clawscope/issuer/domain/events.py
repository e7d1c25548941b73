"""Events of the issuer (tokens.md §13, keys.md §8)."""

from __future__ import annotations

from clawscope.kernel.events import event_name

TOKEN_ISSUED = event_name("issuer.token_issued.v1", "A token was issued.")
TOKEN_ISSUE_DENIED = event_name("issuer.token_issue_denied.v1", "An issue was refused.")
TOKEN_EXCHANGED = event_name("issuer.token_exchanged.v1", "A token was narrowed into a child token.")
TOKEN_EXCHANGE_DENIED = event_name("issuer.token_exchange_denied.v1", "An exchange was refused.")
TOKEN_REVOKED = event_name("issuer.token_revoked.v1", "A token was revoked.")
SUBJECTS_CUT_OFF = event_name("issuer.subjects_cut_off.v1", "All tokens of a claim value were cut off.")
CUTOFF_LIFTED = event_name("issuer.cutoff_lifted.v1", "The lock of a cut-off was lifted; nothing was revived.")
APPROVAL_REQUESTED = event_name("issuer.approval_requested.v1", "A human was asked to approve a capability.")
APPROVAL_DECIDED = event_name("issuer.approval_decided.v1", "A human decided an approval request.")
APPROVAL_EXCHANGED = event_name("issuer.approval_exchanged.v1", "An approval receipt was exchanged for a token.")
APPROVAL_REFUSED = event_name("issuer.approval_refused.v1", "An approval receipt was refused.")
ACCESS_DENIED = event_name("issuer.access_denied.v1", "A protected route refused its caller.")
AUDIT_EXPORTED = event_name("issuer.audit_exported.v1", "An audit bundle was exported.")
TOKEN_INTROSPECTED = event_name("issuer.token_introspected.v1", "A token was introspected (telemetry).")
TOKEN_INTROSPECT_DENIED = event_name("issuer.token_introspect_denied.v1", "An introspection was refused (telemetry).")
TOKEN_MATRIX_READ = event_name("issuer.token_matrix_read.v1", "A token's transition matrix was read (telemetry).")
PREFLIGHT_ANSWERED = event_name("issuer.preflight_answered.v1", "A preflight was answered (telemetry).")

KEY_PREPARED = event_name("issuer.key_prepared.v1", "A key was made and published; it does not sign yet.")
KEY_ACTIVATED = event_name("issuer.key_activated.v1", "A key signs from now on.")
KEY_VERIFY_ONLY = event_name("issuer.key_verify_only.v1", "A key stopped signing and is accepted until its cut-off.")
KEY_RETIRED = event_name("issuer.key_retired.v1", "A key is accepted no longer.")
KEY_REVOKED = event_name("issuer.key_revoked.v1", "A key was revoked in an emergency.")
KEY_MOVE_REFUSED = event_name("issuer.key_move_refused.v1", "A change of a key's state was refused.")
KEYS_RELOAD_REFUSED = event_name("issuer.keys_reload_refused.v1", "A faulty reload of configured keys changed nothing.")
KEY_SNAPSHOT_PUBLISHED = event_name("issuer.key_snapshot_published.v1", "A key snapshot was appended.")
SLO_REPORT_STORED = event_name("issuer.slo_report_stored.v1", "A revocation SLO report was stored.")
VERIFIER_NODE_LOST = event_name("issuer.verifier_node_lost.v1", "A verifier node has been silent for too long.")
