"""Job leases: of several processes one runs a scheduled job at a time."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from clawscope.infra.db.schema import job_leases
from clawscope.infra.db.tx import Tx

_READ = select(job_leases).where(job_leases.c.name == bindparam("n")).with_for_update()
_WRITE = update(job_leases).where(job_leases.c.name == bindparam("n")).values(holder=bindparam("h"), expires_at=bindparam("e"))


def take_lease(tx: Tx, name: str, holder: str, now: int, ttl_s: int) -> bool:
    """Take or renew the lease of a job; False while another process holds it."""
    row = tx.first(_READ, n=name)
    if row is None:
        tx.add(job_leases, {"name": name, "holder": holder, "expires_at": now + ttl_s})
        return True
    if row.holder != holder and row.expires_at > now:
        return False
    tx.change(_WRITE, n=name, h=holder, e=now + ttl_s)
    return True
