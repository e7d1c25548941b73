"""Running a batch of transaction functions: first all together, and if one fails, again with a savepoint each (DESIGN.md, storage)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from clawscope.infra.db.errors import meaning
from clawscope.infra.db.tx import Tx

Function = Callable[[Tx], Any]
WRITER = "writer"


@dataclass(slots=True)
class Outcome:
    """What one function of a batch came to: a value, or the error its caller gets."""

    value: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class Ran:
    """A committed batch: one outcome per function, and what to ring afterwards."""

    outcomes: list[Outcome]
    rings: list[Callable[[], None]]


def run_together(connection: Connection, functions: list[Function], *, queue: bool = False) -> Ran:
    """Run all functions in one transaction without savepoints. Raises whatever the first failing one raises; nothing is kept then.

    With `queue` the batch first waits for its turn among all processes, as SQLite's `BEGIN IMMEDIATE` does by itself: functions of
    one batch take row locks in any order, and two such batches side by side would deadlock.
    """
    tx = Tx(connection)
    with connection.begin():
        if queue:
            tx.take(WRITER)
        outcomes = [Outcome(function(tx)) for function in functions]
        tx.flush()
    return Ran(outcomes, tx.rings())


def run_apart(connection: Connection, functions: list[Function], *, queue: bool = False) -> Ran:
    """Run all functions in one transaction with a savepoint each: only those that raise fail. Raises if the commit itself fails."""
    outcomes: list[Outcome] = []
    rings: list[Callable[[], None]] = []
    with connection.begin():
        if queue:
            Tx(connection).take(WRITER)
        for function in functions:
            tx = Tx(connection)
            outcomes.append(_run_one(connection, tx, function))
            rings += tx.rings() if outcomes[-1].error is None else []
    return Ran(outcomes, rings)


def _run_one(connection: Connection, tx: Tx, function: Function) -> Outcome:
    savepoint = connection.begin_nested()
    try:
        value = function(tx)
        tx.flush()
        savepoint.commit()
    except BaseException as error:  # the caller of this one function gets it; its neighbours go on
        if not savepoint.is_active or connection.invalidated:
            raise
        savepoint.rollback()
        return Outcome(error=meaning(error))
    return Outcome(value)
