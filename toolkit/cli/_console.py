"""What every command shares: people read stderr and a table on stdout, machines read --json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

#: tables that go to a file or a pipe are not folded to a terminal's 80 columns
_WIDE = 160


def say(text: str) -> None:
    """Tell a person something that is not the result."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def show_json(data: Any) -> None:  # noqa: ANN401 (JSON is any)
    """Print the result for machines."""
    typer.echo(json.dumps(data, indent=2))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print the result for people; columns whose name starts with '>' are numbers, set right."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
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
