"""Which core does what: the server has core 0, the load core 1; without `taskset` or a second core both share what there is."""

from __future__ import annotations

import os
import shutil

SERVER_CORE = 0
LOAD_CORE = 1


def separate() -> bool:
    """Whether server and load can have a core each."""
    return shutil.which("taskset") is not None and {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0)


def pinned(core: int, command: list[str]) -> list[str]:
    """The command held to one core, or as it is where that is impossible."""
    return ["taskset", "-c", str(core), *command] if separate() else command
