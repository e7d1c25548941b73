"""Structured logs on stderr, one line an event; the standard library's loggers (uvicorn and others) go the same redacted way."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from clawscope.infra.telemetry.redaction import Redactor
from clawscope.kernel.clock import Clock, SystemClock, iso_ms
from clawscope.kernel.secret import Secret

_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access")


def configure(
    level: str, as_json: bool, *, secrets: Iterable[Secret] = (), clock: Clock | None = None, stream: TextIO | None = None
) -> None:
    """Set up all logging of this process: `level` by name, JSON or text, to `stream` (stderr).

    `secrets` are configured values that must not be printed even where nothing gives them away. Start uvicorn with
    `log_config=None`, or it puts its own handlers back.
    """
    lowest = logging.getLevelNamesMapping()[level.upper()]
    out = stream or sys.stderr
    first = _first_steps(clock or SystemClock())
    last = _last_steps(as_json, Redactor(secrets))
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    formatter = structlog.stdlib.ProcessorFormatter
    handler.setFormatter(formatter(foreign_pre_chain=first, processors=[formatter.remove_processors_meta, *last]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(lowest)
    for name in _OWN_HANDLERS:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose events carry `source: name`; cheap to make, follows a later `configure`."""
    logger: FilteringBoundLogger = structlog.get_logger(source=name)
    return logger


def _first_steps(clock: Clock) -> list[Processor]:
    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["at"] = iso_ms(*divmod(clock.now_ms(), 1000))
        return event

    return [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, _foreign_name, stamp]


def _last_steps(as_json: bool, redactor: Redactor) -> list[Processor]:
    """Exceptions become text before redaction, so that nothing is rendered after it."""

    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return redactor.fields(event)

    show: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback)
    )
    return [structlog.processors.StackInfoRenderer(), structlog.processors.format_exc_info, redact, show]


def _foreign_name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord | None = event.get("_record")
    if record is not None:
        event["source"] = record.name
    return event


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    get_logger("clawscope").critical("uncaught", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    seen: Any = args.exc_value
    if seen is not None and not issubclass(args.exc_type, SystemExit):
        get_logger("clawscope").critical("uncaught in a thread", exc_info=(args.exc_type, seen, args.exc_traceback))
