"""One bar on stderr for work that knows its share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


@contextlib.contextmanager
def share_bar(title: str) -> Iterator[Callable[[float, str], None]]:
    """Show a bar; call what is yielded with (share in [0, 1], text)."""
    columns = (
        TextColumn(title),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=text)


def counted(bar: Callable[[float, str], None]) -> Callable[[int, int, str], None]:
    """Feed a bar from work that counts its steps."""
    return lambda done, total, text: bar(done / max(total, 1), text)
