"""Programs that time a head on a phone; `Converter.phone_runner` says how each is called and what it prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import plugins
from ..errors import DeviceError, InputError
from .statistics import Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from converters.base import PhoneRunner


@dataclass(frozen=True)
class Reading:
    """What one launch of a runner reported."""

    load_ms: float | None
    first_run_ms: float | None
    samples_ms: list[float]
    summary: Summary | None


def runner_of(target: str) -> PhoneRunner:
    """Return the program that times a target's heads on a phone.

    Raises:
        InputError: there is none.
    """
    found = plugins.target(target)().phone_runner()
    if found is None:
        raise InputError(f"No program times {target} heads on a phone; measure them on this host.")
    return found


def target_of(runner: Path) -> str:
    """Tell which target's heads a runner takes, from its name.

    Raises:
        InputError: no such file, or a name that no runner has.
    """
    if not runner.is_file():
        raise InputError(f"There is no file {runner}; give --runner a program built for the phone.")
    known = {found.program: name for name, kind in plugins.known_targets().items() if (found := kind().phone_runner())}
    for program, target in known.items():
        if program in runner.name:
            return target
    raise InputError(
        f"{runner.name} is not a known runner; give one with its own name in its file name: {', '.join(known)}."
    )


def command(target: str, folder: str, inputs: Sequence[str], threads: int, warmups: int, runs: int) -> list[str]:
    """Command line that times `folder`/head with `folder`/runner."""
    arguments = runner_of(target).arguments(f"{folder}/head", inputs, threads=threads, warmups=warmups, runs=runs)
    return [f"{folder}/runner", *arguments]


def bounds(target: str) -> str:
    """Say what a reader must know of figures without samples, or nothing."""
    return runner_of(target).bounds


def parse(target: str, text: str, warmups: int) -> Reading:
    """Read what a runner printed.

    Raises:
        DeviceError: the figures are not in it.
    """
    runner = runner_of(target)
    found = runner.read(text, warmups)
    if found is None:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        seen = f" (its last line: {lines[-1][:160]})" if lines else ""
        raise DeviceError(
            f"The runner printed no times per run{seen}; build {runner.title} with logging to the terminal."
        )
    samples = list(found.samples_ms)
    return Reading(found.load_ms, found.first_run_ms, samples, summarise(samples) if samples else found.spread)
