"""The public vectors, by file name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Reads a file of public vectors; skips where the folder is not at hand."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "vectors"

    def read(name: str) -> Any:
        path = folder / f"{name}.json"
        if not path.is_file():
            pytest.skip("the public vectors are not at hand")
        return json.loads(path.read_text())

    return read
