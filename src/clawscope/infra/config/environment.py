"""The process's environment and the configuration file: the only place that asks the operating system for them."""

from __future__ import annotations

import os
from pathlib import Path

from clawscope.infra.config.loading import ConfigProblems


def variables() -> dict[str, str]:
    """A copy of the environment as it stands now."""
    return dict(os.environ)


def read_file(path: Path) -> str:
    """The text of the configuration file. Raises `ConfigProblems` if it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigProblems([f"{path}: cannot be read ({type(error).__name__}); name a readable UTF-8 file"]) from None


def put_variable(name: str, value: str) -> None:
    """Set a variable for processes started from this one."""
    os.environ[name] = value
