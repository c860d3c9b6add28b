"""What a user chooses for lint."""

from __future__ import annotations

import re
from typing import Annotated

from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, Field

from ..records.settings import Settings

_WORDS = ("fallback", "known-wrong", "slow")
_PARTITIONS = re.compile(r"partitions:(\d+)")


def _check_word(word: str) -> str:
    if word not in _WORDS and not _PARTITIONS.fullmatch(word):
        raise ValueError(f"{word!r} cannot be refused; name fallback, known-wrong, slow or partitions:N.")
    return word


def _check_version(version: str) -> str:
    try:
        Version(version)
    except InvalidVersion:
        raise ValueError(f"{version!r} is no version; write it as PyPI does, such as 2.1.5.") from None
    return version


class LintSettings(Settings):
    """Which backends to look at and what to refuse.

    Attributes:
        backends: names as in toolkit/lint/backends; None: all of them on the command line; in `run`, those that
            need no second lowering.
        fail_on: what is refused: fallback, known-wrong, slow, partitions:N (more than N).
        runtimes: distribution -> the version on the phone, where it is another one than the head was made with.
    """

    backends: tuple[str, ...] | None = None
    fail_on: tuple[Annotated[str, AfterValidator(_check_word)], ...] = ()
    runtimes: dict[str, Annotated[str, AfterValidator(_check_version)]] = Field(default_factory=dict)

    def most_partitions(self) -> int | None:
        """The smallest N of partitions:N, or None."""
        found = [int(match.group(1)) for word in self.fail_on if (match := _PARTITIONS.fullmatch(word))]
        return min(found, default=None)
