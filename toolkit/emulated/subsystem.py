"""Programs in a folder of their own under the user's cache: built once, whole or not at all, then only called.

For runtimes that cannot live in our own environment: another processor's, or one that wants an older numpy.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock

from ..errors import PriproError, ToolError

#: called with (steps done, steps in all, one line of text)
Progress = Callable[[int, int, str], None]
#: (text for people, what to do)
Step = tuple[str, Callable[[], None]]

_STAMP = "pripro.json"


def cache_folder(name: str) -> Path:
    """Where a subsystem is kept: $XDG_CACHE_HOME/pripro/`name`, by default under ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "pripro" / name


def is_built(root: Path, recipe: Mapping[str, str]) -> bool:
    """Tell whether a subsystem is there and was made by this recipe."""
    try:
        return bool(json.loads((root / _STAMP).read_text()) == dict(recipe))
    except (OSError, ValueError):
        return False


def build(root: Path, recipe: Mapping[str, str], steps: Callable[[Path], list[Step]], progress: Progress) -> None:
    """Build into a folder beside `root`, then rename it there; two builders wait for each other.

    Args:
        root: where the subsystem will be.
        recipe: versions and hashes; another recipe means it has to be built again.
        steps: given the folder to build in, what to do there.
        progress: called before each step, and at the end.

    Raises:
        ToolError: a step failed; nothing is left behind.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.parent / f".{root.name}.lock"):
        if is_built(root, recipe):
            return
        # of a builder that was killed; the lock says that none builds
        for left_over in root.parent.glob(f".{root.name}-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}-", ignore_cleanup_errors=True) as room:
            made = Path(room) / "made"
            made.mkdir()
            todo = steps(made)
            for done, (text, step) in enumerate(todo):
                progress(done, len(todo), text)
                step()
            (made / _STAMP).write_text(json.dumps(dict(recipe), indent=2) + "\n")
            shutil.rmtree(root, ignore_errors=True)
            made.rename(root)
            progress(len(todo), len(todo), "ready")


def search_path() -> str:
    """PATH with the folders that hold administrators' tools and are not on every user's PATH."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def call(command: list[str], what: str, timeout_s: float = 900, extra: Mapping[str, str] | None = None) -> str:
    """Run a program and return what it printed.

    Args:
        command: program and arguments.
        what: what it does, as the beginning of a sentence.
        timeout_s: seconds after which it is ended.
        extra: environment variables, beside those of this process.

    Raises:
        ToolError: it failed or took too long; the message carries its last line.
    """
    environment = {**os.environ, "PATH": search_path(), "LC_ALL": "C.UTF-8", **(extra or {})}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise ToolError(f"{what} took longer than {timeout_s:.0f} s; try again on a quieter machine.") from None
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = lines[-1].rstrip(".")[:300] if lines else f"exit status {done.returncode}"
        raise ToolError(f"{what} failed ({Path(command[0]).name}: {reason}).")
    return done.stdout


def prepare_command(prepare: Callable[..., Path]) -> None:
    """Build a subsystem for a person: what happens goes to stderr, the folder to stdout; exit code 2 on failure."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    err = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=err) as bar:
            task = bar.add_task("looking", total=None)
            root = prepare(
                progress=lambda done, total, text: bar.update(task, completed=done, total=total, description=text)
            )
    except PriproError as error:
        err.print(f"Error: {error}", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    print(root)
