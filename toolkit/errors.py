"""Every error a user can cause, as one tree.

    PriproError                 one sentence: what is wrong, what was expected, what to do; exit code 2
    |-- InputError              an argument, a file or a configuration that does not fit
    |   |-- UnknownNameError    a name that is not among the known ones; lists them
    |   `-- MovedDataError      the photos that a bundle names are gone, or are others now
    |-- MissingExtraError       an optional package is not installed; names the pip command
    |-- BundleError             a bundle folder that is missing, damaged or at the wrong stage
    |-- NetworkError            a network that cannot be exported, cut or run
    |-- ToolError               a program beside us (apt-get, qemu, an old runtime) that failed or took too long
    |-- ServerError             the tail answered wrongly or not at all
    `-- DeviceError             a phone that cannot be reached or failed

`converters` and `cloud_tail` import nothing from here; their own roots (ConverterError,
TailError) carry sentences of the same form and the command line treats them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches

_MOST_LISTED = 20


class PriproError(Exception):
    """Root of all errors whose message is meant for a person. They pickle: a worker process may raise one."""

    exit_code = 2

    def __reduce__(self) -> tuple[Callable[[type[PriproError], str], PriproError], tuple[type[PriproError], str]]:
        return _again, (type(self), str(self))


def _again(kind: type[PriproError], sentence: str) -> PriproError:
    """Make an error of its sentence, whatever its constructor asks for."""
    return kind.__new__(kind, sentence)


class InputError(PriproError):
    """An argument, a file or a configuration that does not fit."""


class UnknownNameError(InputError):
    """A name that is not among the known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        choices = sorted(known)
        close = get_close_matches(name, choices, n=3)
        listed = f"choose one of: {', '.join(choices)}." if len(choices) <= _MOST_LISTED or not close else ""
        meant = f"did you mean {' or '.join(close)}?" if close else ""
        super().__init__(f"There is no {kind} named {name!r}; {' '.join(filter(None, (meant, listed)))}")


class MovedDataError(InputError):
    """The photos that a bundle was protected with are not where they were, or are others."""


class MissingExtraError(PriproError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str, *, requirement: str = "") -> None:
        wanted = requirement or f"'pripro-toolkit[{extra}]'"
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed; get it with: pip install {wanted}"
        )


class BundleError(PriproError):
    """A bundle folder that is missing, damaged or at the wrong stage."""


class NetworkError(PriproError):
    """A network that cannot be exported, cut or run."""


class ToolError(PriproError):
    """A program beside us that failed or took too long."""


class ServerError(PriproError):
    """The tail answered wrongly or not at all."""


class DeviceError(PriproError):
    """A phone that cannot be reached or failed."""
