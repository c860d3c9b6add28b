"""One bar on stderr for work that knows its share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

_SECONDS_A_LINE = 60.0


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
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title, console)
        return
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=text)


def _lines(title: str, console: Console) -> Callable[[float, str], None]:
    """Where no bar can be drawn, such as in a log: a line a minute."""
    last = time.monotonic()

    def tell(share: float, text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_A_LINE:
            last = time.monotonic()
            console.print(f"{title} {share:.0%} {text}", markup=False, highlight=False, soft_wrap=True)

    return tell


def counted(bar: Callable[[float, str], None]) -> Callable[[int, int, str], None]:
    """Feed a bar from work that counts its steps."""
    return lambda done, total, text: bar(done / max(total, 1), text)
