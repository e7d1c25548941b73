"""Every law catches what it forbids, in a tree made for the purpose, and lets the permitted pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.lawbook.source import FOLDERS
from tools.laws import breaches

ROOT = Path(__file__).parents[2]
HEAD = '"""A module."""\n'
LONG_FUNCTION = HEAD + "def _f() -> None:\n" + "    x = 1\n" * 40
LONG_FILE = HEAD + "x = 1\n" * 300

CAUGHT = [
    ("src/clawscope/a.py", LONG_FILE, "has 301 lines"),
    ("tests/test_a.py", LONG_FILE, "has 301 lines"),
    ("src/clawscope/a.py", LONG_FUNCTION, "_f has 41 lines"),
    ("tests/test_a.py", LONG_FUNCTION.replace("def", "async def"), "_f has 41 lines"),
    ("src/clawscope/utils.py", HEAD, "says nothing of what is inside"),
    ("src/clawscope/issuer/token_helpers.py", HEAD, "says nothing of what is inside"),
    ("src/clawscope/common/x.py", HEAD, "says nothing of what is inside"),
    ("src/clawscope/issuer/x.py", HEAD + "from . import y\n", "from the package's root"),
    ("tests/x.py", HEAD + "from ..unit import y\n", "from the package's root"),
    ("src/clawscope/kernel/x.py", HEAD + "import msgspec\n", "kernel does not import msgspec"),
    ("src/clawscope/kernel/x.py", HEAD + "from clawscope.protocol import b64u\n", "kernel does not import clawscope.protocol"),
    ("src/clawscope/kernel/x.py", HEAD + "import asyncio\n", "kernel does not import asyncio"),
    ("src/clawscope/protocol/x.py", HEAD + "from cryptography.fernet import Fernet\n", "protocol does not import cryptography"),
    ("src/clawscope/issuer/usecases/x.py", HEAD + "from sqlalchemy import select\n", "sqlalchemy belongs in"),
    ("src/clawscope/issuer/adapters/routes.py", HEAD + "import sqlalchemy as sa\n", "sqlalchemy belongs in"),
    ("src/clawscope/issuer/adapters/store.py", HEAD + "from litestar import get\n", "litestar belongs in"),
    ("src/clawscope/issuer/adapters/lookup.py", HEAD + "def _f() -> None:\n    import aiohttp\n", "aiohttp belongs in"),
    ("src/clawscope/issuer/adapters/routes.py", HEAD + "import uvicorn\n", "uvicorn belongs in"),
    ("src/clawscope/issuer/x.py", HEAD + "import time\nx = time.time()\n", "time.time reads the wall clock"),
    ("src/clawscope/issuer/x.py", HEAD + "import time as t\nx = dict(default_factory=t.time_ns)\n", "time.time_ns reads the wall clock"),
    ("src/clawscope/issuer/x.py", HEAD + "from time import time as now\nx = now()\n", "time.time reads the wall clock"),
    ("src/clawscope/issuer/x.py", HEAD + "from datetime import datetime as d, UTC\nx = d.now(UTC)\n", "datetime.datetime.now reads"),
    ("src/clawscope/issuer/x.py", HEAD + "import datetime\nx = datetime.datetime.utcnow()\n", "datetime.datetime.utcnow reads"),
    ("src/clawscope/issuer/x.py", HEAD + "import random\n", "random draws randomness"),
    ("src/clawscope/issuer/x.py", HEAD + "from secrets import token_hex\n", "secrets.token_hex draws randomness"),
    ("src/clawscope/issuer/x.py", HEAD + "import os\nx = os.urandom(3)\n", "os.urandom draws randomness"),
    ("src/clawscope/issuer/x.py", HEAD + "from uuid import uuid4\nx = uuid4()\n", "uuid.uuid4 draws randomness"),
    ("src/clawscope/issuer/x.py", HEAD + "import os\nx = os.environ['A']\n", "os.environ reads the environment"),
    ("src/clawscope/infra/db/x.py", HEAD + "from os import getenv\nx = getenv('A')\n", "os.getenv reads the environment"),
    ("src/clawscope/issuer/x.py", HEAD + "try:\n    pass\nexcept Exception:\n    pass\n", "catch the errors you expect"),
    ("src/clawscope/issuer/x.py", HEAD + "try:\n    pass\nexcept (OSError, BaseException):\n    pass\n", "catch the errors you expect"),
    ("src/clawscope/issuer/x.py", HEAD + "try:\n    pass\nexcept:\n    pass\n", "catch the errors you expect"),
    ("src/clawscope/issuer/x.py", HEAD + "import contextlib\nwith contextlib.suppress(Exception):\n    pass\n", "suppress the errors"),
    ("src/clawscope/issuer/x.py", HEAD + "x = 1  # noqa\n", "name the rule"),
    ("src/clawscope/issuer/x.py", HEAD + "x = 1  # type: ignore\n", "name the rule"),
    ("tests/x.py", HEAD + "x = 1  # noqa: E501\n", "say why"),
    ("tests/x.py", HEAD + "x = 1  # type: ignore[arg-type]  # noqa: E501\n", "say why"),
    ("src/clawscope/issuer/x.py", "# ruff: noqa\n" + HEAD, "silence one line"),
    ("src/clawscope/issuer/x.py", "x = 1\n", "the module says nothing of itself"),
    ("tests/x.py", "x = 1\n", "the module says nothing of itself"),
    ("src/clawscope/issuer/x.py", '"""a\nb\nc\nd\n"""\n', "docstring is longer than 3 lines"),
    ("src/clawscope/issuer/x.py", HEAD + "def f() -> None:\n    pass\n", "f says nothing of itself"),
    ("src/clawscope/issuer/x.py", HEAD + "class A:\n    pass\n", "A says nothing of itself"),
    ("src/clawscope/issuer/x.py", HEAD + 'class A:\n    """An A."""\n    async def f(self) -> None: ...\n', "f says nothing of itself"),
]

KEPT = [
    ("src/clawscope/a.py", HEAD + "x = 1\n" * 299),
    ("src/clawscope/kernel/clock.py", HEAD + "import time\nx = time.time_ns()\n"),
    ("src/clawscope/issuer/x.py", HEAD + "import time\nx = time.monotonic_ns()\n"),
    ("src/clawscope/issuer/x.py", HEAD + "class _T:\n    time = 1\nx = _T.time\n"),
    ("src/clawscope/kernel/ids.py", HEAD + "import os\nx = os.urandom(3)\n"),
    ("src/clawscope/infra/config/environment.py", HEAD + "import os\nx = os.environ\n"),
    ("src/clawscope/infra/http/problem.py", HEAD + "try:\n    pass\nexcept Exception:\n    pass\n"),
    ("src/clawscope/issuer/adapters/store.py", HEAD + "import sqlalchemy\n"),
    ("src/clawscope/issuer/adapters/key_tables.py", HEAD + "import sqlalchemy\n"),
    ("src/clawscope/issuer/adapters/store/tokens.py", HEAD + "import sqlalchemy\n"),
    ("src/clawscope/issuer/adapters/routes.py", HEAD + "import litestar\n"),
    ("src/clawscope/protocol/x.py", HEAD + "import msgspec, nacl.bindings, rfc8785, hashlib\nfrom clawscope.kernel import text\n"),
    ("src/clawscope/issuer/x.py", HEAD + "x = 1  # noqa: E501 - the vector's own line\n"),
    ("src/clawscope/issuer/x.py", HEAD + "x = 1  # type: ignore[arg-type]  # the stub is narrower\n"),
    ("src/clawscope/issuer/x.py", HEAD + "x = '# noqa'\n"),
    ("src/clawscope/issuer/x.py", HEAD + "def _f() -> None:\n    pass\n"),
    ("tests/test_x.py", HEAD + "import time\nimport random\ndef test_x() -> None:\n    assert time.time()\n"),
]


def planted(root: Path, path: str, text: str) -> list[str]:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return [str(breach) for breach in breaches(root)]


@pytest.mark.parametrize(("path", "text", "words"), CAUGHT)
def test_a_planted_breach_is_caught_and_named(tmp_path: Path, path: str, text: str, words: str) -> None:
    found = planted(tmp_path, path, text)
    assert any(line.startswith(f"{path}:") and words in line for line in found), found


@pytest.mark.parametrize(("path", "text"), KEPT)
def test_what_is_permitted_passes(tmp_path: Path, path: str, text: str) -> None:
    assert planted(tmp_path, path, text) == []


def test_the_command_prints_the_breach_and_fails(tmp_path: Path) -> None:
    planted(tmp_path, "src/clawscope/utils.py", HEAD)
    ran = subprocess.run([sys.executable, "-m", "tools.laws", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "src/clawscope/utils.py:1: utils says nothing" in ran.stdout


def test_an_empty_tree_keeps_every_law(tmp_path: Path) -> None:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
    assert list(breaches(tmp_path)) == []
