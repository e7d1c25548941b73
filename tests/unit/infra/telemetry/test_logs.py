"""Logs are one redacted line an event, whoever writes them."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog

from clawscope.infra.telemetry.logs import configure, get_logger
from clawscope.kernel.clock import ManualClock
from clawscope.kernel.secret import Secret

JWS = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJkaWQ6a2V5OnpBIn0.c2lnbmF0dXJlLXRoYXQtbXVzdC1nbw"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_time_level_and_source(stream: io.StringIO) -> None:
    configure("info", True, stream=stream, clock=ManualClock(1_800_000_000))
    get_logger("issuer").info("token issued", token_hash="ab", seconds=2)
    assert lines(stream) == [
        {"event": "token issued", "token_hash": "ab", "seconds": 2, "source": "issuer", "level": "info", "at": "2027-01-15T08:00:00.000Z"}
    ]


def test_levels_below_the_set_one_are_silent(stream: io.StringIO) -> None:
    configure("warning", True, stream=stream)
    get_logger("x").info("quiet")
    logging.getLogger("y").info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_is_printed_in_fields_text_or_traceback(stream: io.StringIO, as_json: bool) -> None:
    configure("debug", as_json, stream=stream, secrets=[Secret("operator-key-in-plain-words")])
    log = get_logger("x")
    log.info("saw", text=JWS, authorization="plain-secret", holder=Secret("plain-secret"), nested={"seed": "plain-secret"})
    log.info("operator-key-in-plain-words")
    try:
        raise ValueError(f"cannot read {JWS} password=plain-secret")
    except ValueError:
        log.exception("failed")
        logging.getLogger("uvicorn.error").exception("failed with %s", JWS)
    text = stream.getvalue()
    assert text.count("ValueError") >= 2
    for secret in ("c2lnbmF0dXJl", "plain-secret", "operator-key-in-plain"):
        assert secret not in text


def test_standard_loggers_go_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler(stream))
    configure("info", True, stream=stream)
    logging.getLogger("uvicorn.access").info('%s - "GET /x?token=%s"', "127.0.0.1", "plain-secret")
    (line,) = lines(stream)
    assert line["source"] == "uvicorn.access"
    assert line["event"] == '127.0.0.1 - "GET /x?token=***"'


def test_warnings_and_uncaught_errors_are_logged_redacted(stream: io.StringIO) -> None:
    configure("info", True, stream=stream)
    warnings.warn(f"old {JWS}", stacklevel=1)
    error = RuntimeError(JWS)
    sys.excepthook(RuntimeError, error, None)
    thread = threading.Thread(target=lambda: (_ for _ in ()).throw(error))
    thread.start()
    thread.join()
    text = stream.getvalue()
    assert [line["event"] for line in lines(stream)][-2:] == ["uncaught", "uncaught in a thread"]
    assert "c2lnbmF0dXJl" not in text


def test_a_logger_follows_a_later_configuration(stream: io.StringIO) -> None:
    log = get_logger("x")
    configure("info", True, stream=io.StringIO())
    log.info("there")
    configure("info", True, stream=stream)
    log.info("here")
    assert [line["event"] for line in lines(stream)] == ["here"]
