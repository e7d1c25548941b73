"""Identity's unit of work on SQL."""

from __future__ import annotations

from clawscope.identity.adapters.audit_store import SqlAudit
from clawscope.identity.adapters.import_store import SqlImports
from clawscope.identity.adapters.proof_store import SqlBindings, SqlChallenges
from clawscope.identity.adapters.record_store import SqlAgents, SqlAliases, SqlControllers
from clawscope.identity.adapters.roster_store import SqlRosters
from clawscope.identity.adapters.scope_store import SqlScopeChallenges
from clawscope.infra.db.database import Database, Transactor
from clawscope.infra.db.outbox import Outbox
from clawscope.infra.db.tx import Tx


class SqlWork:
    """All repositories of identity on one transaction. Writing transactions run one after the other on both databases."""

    def __init__(self, tx: Tx) -> None:
        self.transaction = tx
        self.challenges = SqlChallenges(tx)
        self.bindings = SqlBindings(tx)
        self.controllers = SqlControllers(tx)
        self.agents = SqlAgents(tx)
        self.aliases = SqlAliases(tx)
        self.scope_challenges = SqlScopeChallenges(tx)
        self.rosters = SqlRosters(tx)
        self.imports = SqlImports(tx)
        self.audit = SqlAudit(tx)
        self.events = Outbox(tx)


def identity_store(database: Database) -> Transactor:
    """Identity's store on a database."""
    return Transactor(database, SqlWork)
