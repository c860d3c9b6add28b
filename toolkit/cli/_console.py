"""What every command shares: people read stderr and a table on stdout, machines read --json."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: tables that go to a file or a pipe are not folded to a terminal's 80 columns
_WIDE = 160
_STDOUT = 1
#: where results go while a command runs
_results: list[TextIO] = []


def say(text: str) -> None:
    """Tell a person something that is not the result."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


@contextlib.contextmanager
def stdout_for_results() -> Iterator[None]:
    """Keep stdout for the result: whatever else prints there, a user's own network too, goes to stderr."""
    if _results:  # a command that runs another one
        yield
        return
    shown = sys.stdout
    sys.stdout.flush()
    try:
        kept = os.dup(_STDOUT) if shown.fileno() == _STDOUT else -1
    except (OSError, ValueError):  # no file of the system's, as in a notebook or a test
        kept = -1
    out = shown if kept < 0 else os.fdopen(os.dup(kept), "w", encoding=shown.encoding)
    _results.append(out)
    if kept >= 0:
        os.dup2(sys.stderr.fileno(), _STDOUT)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        _results.pop()
        sys.stdout = shown
        if kept >= 0:
            with contextlib.suppress(BrokenPipeError):
                out.close()
            os.dup2(kept, _STDOUT)
            os.close(kept)


def show_text(text: str) -> None:
    """Print the result as it is."""
    print(text, file=_results[-1] if _results else sys.stdout, flush=True)


def show_json(data: Any) -> None:  # noqa: ANN401 (JSON is any)
    """Print the result for machines."""
    show_text(json.dumps(data, indent=2))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print the result for people; columns whose name starts with '>' are numbers, right-aligned."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    out = _results[-1] if _results else None
    console = Console(highlight=False, file=out)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE, file=out)
    console.print(table)


def next_command(text: str) -> None:
    """End with what a person would do next."""
    say(f"next: {text}")


def size(count: float) -> str:
    """Write a number of bytes for people: 401 kB, 2.4 MB."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.3g} {unit}"
    return f"{count:.0f} B"
