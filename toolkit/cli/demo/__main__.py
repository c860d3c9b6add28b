"""python -m toolkit.cli.demo: train the demo's network once, `pripro run` its deploy.toml, then look at its privacy."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from ...bundle import Bundle
from ...pipeline.config import read_config
from .._console import say
from .._progress import share_bar
from ..main import app, guarded

CONFIG = Path(__file__).parent / "deploy.toml"


#: a look at what an attacker gets, in less than a minute
_LOOK = ("--effort", "quick")


def play(path: Path) -> Bundle:
    """Train the demo's network if it is not there yet, run a deploy.toml, and look at its privacy."""
    config = read_config(path)
    weights = config.network.weights
    if weights is not None and not weights.is_file():
        from .train import train

        weights.parent.mkdir(parents=True, exist_ok=True)
        say("training a small ResNet on the digits ...")
        with share_bar("train") as bar:
            accuracy = train(weights, progress=bar)
        say(f"trained: {accuracy:.2%} of the test digits are right")
    for arguments in (["run", str(path)], ["evaluate", str(config.bundle), *_LOOK]):
        code = app(arguments, standalone_mode=False)
        if code:
            raise typer.Exit(code)
    return Bundle.open(config.bundle)


def _demo() -> None:
    play(CONFIG)


if __name__ == "__main__":
    sys.exit(guarded(_demo))
