"""One bar on stderr for work that knows its share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from ..records.progress import Progress

_SECONDS_A_LINE = 60.0


@contextlib.contextmanager
def share_bar(title: str) -> Iterator[Progress]:
    """Show a bar; call what is yielded with (done, total, text)."""
    columns = (
        TextColumn(title),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title, console)
        return
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda done, total, text: bar.update(task, completed=done / max(total, 1e-9), description=text)


def _lines(title: str, console: Console) -> Progress:
    """Where no bar can be drawn, such as in a log: a line a minute."""
    last = time.monotonic()

    def tell(done: float, total: float, text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_A_LINE:
            last = time.monotonic()
            share = done / max(total, 1e-9)
            console.print(f"{title} {share:.0%} {text}", markup=False, highlight=False, soft_wrap=True)

    return tell
