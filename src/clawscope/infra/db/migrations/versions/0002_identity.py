"""Identity: challenges, bindings, controllers, agents, aliases, imports and the audit chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SEQUENCES = ("identity_agents", "identity_audit")


def upgrade() -> None:
    """Create identity's tables."""
    _create_identity_agents()
    _create_identity_aliases()
    _create_identity_audit()
    _create_identity_bindings()
    _create_identity_challenges()
    _create_identity_controllers()
    _create_identity_import_marks()
    _create_identity_imports()
    _create_identity_rosters()
    _create_identity_scope_challenges()
    _create_first_numbers()


def _create_identity_agents() -> None:
    op.create_table(
        "identity_agents",
        sa.Column("controller_did", sa.String(length=256), nullable=False),
        sa.Column("agent_did", sa.String(length=256), nullable=False),
        sa.Column("active", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("controller_did", "agent_did"),
    )
    op.create_index("identity_agents_position", "identity_agents", ["controller_did", "position"], unique=False)
    op.create_index("ix_identity_agents_agent_did", "identity_agents", ["agent_did"], unique=False)


def _create_identity_aliases() -> None:
    op.create_table(
        "identity_aliases",
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("controller_did", sa.String(length=256), nullable=False),
        sa.Column("from_did", sa.String(length=256), nullable=False),
        sa.Column("final_did", sa.String(length=256), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("role", "controller_did", "from_did"),
    )
    op.create_index("identity_aliases_final", "identity_aliases", ["role", "controller_did", "final_did"], unique=False)


def _create_identity_audit() -> None:
    op.create_table(
        "identity_audit",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("actor_did", sa.String(length=512), nullable=False),
        sa.Column("subject_did", sa.String(length=512), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("prev_hash_b64u", sa.String(length=43), nullable=False),
        sa.Column("entry_hash_b64u", sa.String(length=43), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("event_id"),
    )
    op.create_index("identity_audit_subject", "identity_audit", ["subject_did", "sequence"], unique=False)
    op.create_index("identity_audit_type", "identity_audit", ["event_type", "sequence"], unique=False)


def _create_identity_bindings() -> None:
    op.create_table(
        "identity_bindings",
        sa.Column("did", sa.String(length=256), nullable=False),
        sa.Column("bound_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=256), nullable=True),
        sa.PrimaryKeyConstraint("did"),
    )


def _create_identity_challenges() -> None:
    op.create_table(
        "identity_challenges",
        sa.Column("challenge_id", sa.String(length=64), nullable=False),
        sa.Column("owner_did", sa.String(length=256), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("challenge_id"),
    )
    op.create_index("identity_challenges_owner", "identity_challenges", ["owner_did", "expires_at"], unique=False)
    op.create_index("ix_identity_challenges_expires_at", "identity_challenges", ["expires_at"], unique=False)


def _create_identity_controllers() -> None:
    op.create_table(
        "identity_controllers",
        sa.Column("controller_did", sa.String(length=256), nullable=False),
        sa.Column("owner_did", sa.String(length=256), nullable=False),
        sa.Column("active", sa.SmallInteger(), nullable=False),
        sa.Column("rotated_to_did", sa.String(length=256), nullable=True),
        sa.Column("transfer_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("controller_did"),
    )
    present = sa.column("rotated_to_did").is_not(None)
    op.create_index(
        "identity_controllers_rotated_to_did", "identity_controllers", ["rotated_to_did"], sqlite_where=present, postgresql_where=present
    )
    present = sa.column("transfer_expires_at").is_not(None)
    op.create_index(
        "identity_controllers_transfer_expires_at",
        "identity_controllers",
        ["transfer_expires_at"],
        sqlite_where=present,
        postgresql_where=present,
    )
    op.create_index("ix_identity_controllers_owner_did", "identity_controllers", ["owner_did"], unique=False)


def _create_identity_import_marks() -> None:
    op.create_table(
        "identity_import_marks",
        sa.Column("issuer", sa.String(length=512), nullable=False),
        sa.Column("owner_did", sa.String(length=256), nullable=False),
        sa.Column("controller_did", sa.String(length=256), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("bundle_hash_b64u", sa.String(length=43), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "owner_did", "controller_did"),
    )


def _create_identity_imports() -> None:
    op.create_table(
        "identity_imports",
        sa.Column("owner_did", sa.String(length=256), nullable=False),
        sa.Column("bundle_hash_b64u", sa.String(length=43), nullable=False),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner_did", "bundle_hash_b64u"),
    )


def _create_identity_rosters() -> None:
    op.create_table(
        "identity_rosters",
        sa.Column("org_id", sa.String(length=128), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "issued_at"),
    )


def _create_identity_scope_challenges() -> None:
    op.create_table(
        "identity_scope_challenges",
        sa.Column("challenge_id", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("challenge_id"),
    )
    op.create_index("ix_identity_scope_challenges_expires_at", "identity_scope_challenges", ["expires_at"], unique=False)


def _create_first_numbers() -> None:
    table = sa.table("sequences", sa.column("name", sa.String), sa.column("value", sa.BigInteger))
    op.bulk_insert(table, [{"name": name, "value": 0} for name in SEQUENCES])
