"""What a command prints and how it ends: tables for people, one JSON value for programs, an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from typer.main import get_command

from clawscope.infra.config import ConfigProblems
from clawscope.kernel.clock import iso_ms
from clawscope.kernel.errors import Refusal

DONE = 0
FAILED = 1
REFUSED = 2
UNREACHABLE = 3

_PIPE_WIDTH = 200  # columns of a table nobody looks at
_SHOWABLE_ARGUMENT = 23  # characters; whatever is longer might be a key or a token


class Failure(Exception):
    """A command that cannot go on: a code for programs, a sentence for people, what to do about it, and the exit code."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "FAILED",
        fix: str | None = None,
        exit_code: int = FAILED,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.fix = fix
        self.exit_code = exit_code
        self.details = dict(details or {})

    def as_object(self) -> dict[str, Any]:
        """The failure as `--json` prints it on standard error."""
        found: dict[str, Any] = {"error": self.code, "message": self.message, "exit_code": self.exit_code}
        if self.fix:
            found["fix"] = self.fix
        return found | self.details


class Output(AbstractContextManager["Output"]):
    """Standard output for results, standard error for everything else; as a context it turns failures into exit codes."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._out = Console(highlight=False, soft_wrap=True, emoji=False)
        if not self._out.is_terminal:
            self._out.width = _PIPE_WIDTH
        self._err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        failure = _failure_of(error)
        if failure is not None:
            self.failed(failure)
            raise typer.Exit(failure.exit_code) from None

    def result(self, value: Any) -> None:
        """One JSON value on standard output, where `--json` asks for it."""
        if self.as_json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")

    def text(self, line: str) -> None:
        """A plain line on standard output, as it is."""
        self._out.out(line, highlight=False)

    def say(self, line: str) -> None:
        """A line for people (Rich markup); silent under `--json`."""
        if not self.as_json:
            self._out.print(line)

    def note(self, line: str) -> None:
        """A remark for people on standard error; silent under `--json`."""
        if not self.as_json:
            self._err.print(line, style="yellow", markup=False)

    def facts(self, facts: Mapping[str, Any], title: str | None = None, *, indent: int = 0) -> None:
        """Names and values, one a line; silent under `--json`."""
        if self.as_json:
            return
        if title:
            self._out.print(title, style="bold underline", markup=False)
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            # No table: a folded hash could not be copied, and a pipe has no width.
            self._out.print(f"{' ' * indent}[bold]{escape(name)}[/bold]{' ' * (width - len(name))}  {escape(shown(name, value))}".rstrip())

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table; silent under `--json`."""
        if self.as_json:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*[escape(cell) for cell in row])
        self._out.print(table)

    def failed(self, failure: Failure) -> None:
        """The failure on standard error: a JSON object, or a sentence and the remedy."""
        if self.as_json:
            sys.stderr.write(msgspec.json.encode(failure.as_object()).decode() + "\n")
            return
        self._err.print(f"[red]{escape(failure.code)}[/red]: {escape(failure.message)}")
        if failure.fix:
            self._err.print(f"  {failure.fix}", markup=False)

    def progress(self, *, in_bytes: bool = False) -> Progress:
        """A progress display on standard error, hidden under `--json` and where nobody looks."""
        counted = DownloadColumn() if in_bytes else MofNCompleteColumn()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), counted, TimeElapsedColumn())
        return Progress(*columns, console=self._err, disable=self.as_json or not self._err.is_terminal, transient=True)


def shown(name: str, value: Any) -> str:
    """A value as text for people; claims that are times get their date beside them."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and (name in ("iat", "exp") or name.endswith(("_at", "_until"))):
        return f"{value}  ({iso_ms(value)})" if 0 <= value < 253_402_300_800 else str(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return "  ".join(value)
    if isinstance(value, list | tuple | dict):
        return msgspec.json.encode(value).decode()
    return "" if value is None else str(value)


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code. Wrong usage is told without repeating what might be a key or a token."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    out = Output("--json" in given)
    try:
        code = get_command(app).main(args=given, prog_name="clawscope", standalone_mode=False)
    except typer.TyperException as error:
        return _wrong_usage(out, error, given)
    except BrokenPipeError:
        # Whoever read us has gone; what Python would still flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (typer.Abort, KeyboardInterrupt):
        out.failed(Failure("Stopped before the end.", code="ABORTED", exit_code=130))
        return 130
    except (Failure, Refusal, ConfigProblems, OSError) as error:
        failure = _failure_of(error) or Failure("Something failed.")
        out.failed(failure)
        return failure.exit_code
    return code if isinstance(code, int) else DONE


def _wrong_usage(out: Output, error: typer.TyperException, given: Sequence[str]) -> int:
    message = without_arguments(error.format_message(), given)
    if not given or type(error).__name__ == "NoArgsIsHelpError":
        out.text(message)
        return error.exit_code
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "clawscope"
    out.failed(Failure(message, code="USAGE", fix=f"See: {path} --help", exit_code=REFUSED))
    return REFUSED


def without_arguments(message: str, given: Sequence[str]) -> str:
    """The message with every long argument, or long value of an option, replaced by `***`."""
    for argument in sorted(given, key=len, reverse=True):
        for part in (argument, argument.partition("=")[2]):
            if len(part) > _SHOWABLE_ARGUMENT:
                message = message.replace(part, "***")
    return message


def _failure_of(error: BaseException | None) -> Failure | None:
    if isinstance(error, Failure):
        return error
    if isinstance(error, Refusal):
        return Failure(error.detail or error.code.message, code=error.code.name, fix=error.fix, exit_code=REFUSED)
    if isinstance(error, ConfigProblems):
        lines = "\n".join(f"  {line}" for line in error.lines)
        message = f"The configuration has {len(error.lines)} mistake(s):\n{lines}"
        return Failure(message, code="CONFIG_INVALID", exit_code=REFUSED, details={"problems": error.lines})
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        where = f"{error.filename}: " if error.filename else ""
        return Failure(f"{where}{error.strerror or type(error).__name__}", code="FILE", fix="Check the path and its permissions.")
    return None
