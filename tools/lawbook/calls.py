"""Clock, randomness and environment each have one door; everything else is told."""

from __future__ import annotations

from collections.abc import Iterator

from tools.lawbook.source import Breach, Source

_CLOCK = {
    f"time.{name}"
    for name in ("time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime", "clock_gettime", "clock_gettime_ns")
}
_CLOCK |= {f"datetime.{name}" for name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")}
_RANDOM_MODULES = ("random", "secrets")
_RANDOM = {"os.urandom", "os.getrandom", "uuid.uuid1", "uuid.uuid4", "nacl.utils.random", "ssl.RAND_bytes"}
_ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv"}


def one_clock(source: Source) -> Iterator[Breach]:
    """The wall clock is read in `kernel/clock.py` alone; others are passed `now`. Durations may use the monotonic clock."""
    if source.is_product and source.inside != ("kernel", "clock"):
        for node, name in source.references:
            if name in _CLOCK:
                yield source.breach(node, f"{name} reads the wall clock; take now: int or a Clock")


def one_source_of_randomness(source: Source) -> Iterator[Breach]:
    """Randomness is drawn in `kernel/ids.py` alone."""
    if not source.is_product or source.inside == ("kernel", "ids"):
        return
    for statement, module in source.imports:
        if module.split(".")[0] in _RANDOM_MODULES:
            yield source.breach(statement, f"{module} draws randomness; use kernel/ids.py")
    for node, name in source.references:
        if name in _RANDOM:
            yield source.breach(node, f"{name} draws randomness; use kernel/ids.py")


def one_reader_of_the_environment(source: Source) -> Iterator[Breach]:
    """The environment is read in `infra/config` alone."""
    if source.is_product and source.inside[:2] != ("infra", "config"):
        for node, name in source.references:
            if name in _ENVIRONMENT:
                yield source.breach(node, f"{name} reads the environment; declare a setting")
