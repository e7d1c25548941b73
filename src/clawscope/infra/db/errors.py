"""What a failing database means to a caller."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, IntegrityError

from clawscope.kernel.codes import STORE_FULL, STORE_UNAVAILABLE
from clawscope.kernel.errors import Refusal

# SQLite says it in words; PostgreSQL by SQLSTATE 53100 (disk full) and 53200/53400 (other resources).
_FULL_WORDS = ("database or disk is full", "disk full", "no space left")
_FULL_STATES = ("53100",)
_AGAIN_STATES = ("40001", "40P01", "55P03")


def is_retryable(error: BaseException) -> bool:
    """Whether running the same batch again may succeed: deadlock, serialisation failure, lock not available."""
    return isinstance(error, DBAPIError) and _state(error) in _AGAIN_STATES


def meaning(error: BaseException) -> BaseException:
    """The refusal a database error stands for; any other exception is returned as it is."""
    if isinstance(error, IntegrityError):
        # Two transactions wanted the same unique name: the loser changed nothing and may look again.
        refusal = STORE_UNAVAILABLE("somebody else was first; retry")
        refusal.__cause__ = error
        return refusal
    if isinstance(error, DBAPIError | OSError | TimeoutError):
        return _unavailable(error)
    return error


def _unavailable(error: BaseException) -> Refusal:
    text = str(getattr(error, "orig", error)).lower()
    full = any(words in text for words in _FULL_WORDS) or _state(error) in _FULL_STATES
    refusal = STORE_FULL("free some space, then retry") if full else STORE_UNAVAILABLE("retry in a second")
    refusal.__cause__ = error
    return refusal


def _state(error: BaseException) -> str:
    origin = getattr(error, "orig", None)
    return str(getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None) or "")
