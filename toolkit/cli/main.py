"""`pripro`: one command per verb, in the order in which they are used. Heavy packages load inside commands."""

from __future__ import annotations

import errno
import functools
import importlib
import os
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

import typer

from cloud_tail.errors import TailError
from converters.base import ConverterError

from ..errors import MissingExtraError, PriproError
from ._console import say, stdout_for_results

app = typer.Typer(
    name="pripro",
    help="Split a trained vision network between phone and cloud, protect what crosses, ship and check both halves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
#: in the order of use; the file name is the command's name
COMMANDS = (
    "cuts",
    "partition",
    "protect",
    "convert",
    "package",
    "lint",
    "serve",
    "verify",
    "measure",
    "evaluate",
    "plan",
    "sweep",
    "bench",
    "run",
    "report",
    "demo-app",
    "doctor",
)
#: what a full disk or missing rights raise
_USERS_OWN = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EPERM)
#: a file where a folder belongs, or the other way round
_OF_ANOTHER_KIND = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP)
#: what commands import as they start -> the extra that installs it
_EXTRAS = {
    "torch": ("torch", "torchvision", "PIL", "scipy", "accelerate", "loky"),
    "privacy": ("skimage", "joblib"),
    "tail": ("uvloop", "httptools", "prometheus_client", "grpc", "google"),
}
#: torch's words where an allocation fails
_NO_ROOM = "can't allocate memory"
_INTERRUPTED = 130
_PASSES_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def _quiet(command: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (any command's)
        with stdout_for_results():
            command(*args, **kwargs)

    return run


for _name in COMMANDS:
    _module = importlib.import_module(f"{__package__}.{_name.replace('-', '_')}")
    app.command(_name, context_settings=_PASSES_ON if _name == "serve" else None)(_quiet(_module.command))


def guarded(work: Callable[[], object]) -> int:
    """Run something; errors that a user can cause become one sentence and exit code 2, never a traceback."""
    try:
        work()
    except (PriproError, ConverterError, TailError) as error:
        say(f"error: {error}")
        return getattr(error, "exit_code", 2)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = next((extra for extra, packages in _extras() if package in packages), None)
        if extra is None:
            raise
        say(f"error: {MissingExtraError(package, extra, 'This command')}")
        return 2
    except typer.Exit as ended:
        return ended.exit_code
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:  # what typer makes of a Ctrl-C
            return _interrupted()
        return ended.code if isinstance(ended.code, int) else 2
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and _NO_ROOM not in str(error):
            raise
        say("error: this needs more memory than there is; give fewer --classes, photos or pixels, or a smaller batch.")
        return 2
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            say(f"error: {str(error.filename)[:60]}... is longer than a path can be; give a shorter one.")
            return 2
        if error.errno in _OF_ANOTHER_KIND and error.filename:
            say(f"error: {error.filename} is of another kind ({error.strerror}); give a place that fits.")
            return 2
        if error.errno not in _USERS_OWN:
            raise
        say(f"error: {_without_rights(error)}")
        return 2
    return 0


def _without_rights(error: OSError) -> str:
    """Say whether it was reading or writing that failed, which the system's own words leave open."""
    path = error.filename or "a file"
    if error.errno in (errno.EACCES, errno.EPERM) and error.filename and not _readable(error.filename):
        return f"{path} cannot be read ({error.strerror}); get the right to read it, then try again."
    return f"{path} cannot be written ({error.strerror}); free some space or get the rights, then try again."


def _readable(path: str | bytes) -> bool:
    """True also where nothing exists yet: then it was the writing that failed."""
    if os.path.lexists(path):
        return os.access(path, os.R_OK)
    # in a folder that may not be entered, a file that is missing and one that is hidden look alike
    return os.access(os.path.dirname(os.fspath(path)) or ".", os.X_OK)  # noqa: PTH120 (bytes, too)


def _extras() -> Iterator[tuple[str, Collection[str]]]:
    """What commands import, then what targets do -> the extra that installs it."""
    from .. import plugins

    yield from _EXTRAS.items()
    for kind in plugins.known_targets().values():
        if kind.extra is not None:
            yield kind.extra, kind.packages


def _interrupted() -> int:
    say("interrupted; the bundle is as it was before the stage that was running.")
    return _INTERRUPTED


def main() -> None:
    """Run the command line."""
    sys.exit(guarded(app))


if __name__ == "__main__":
    main()
