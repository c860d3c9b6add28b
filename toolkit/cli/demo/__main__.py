"""python -m toolkit.cli.demo: train the demo's network once, `pripro run` its deploy.toml, then look at its privacy."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from ...pipeline.config import read_config
from .._console import say
from .._progress import share_bar
from ..main import app, guarded

CONFIG = Path(__file__).parent / "deploy.toml"


#: a look at what an attacker gets, in less than a minute
_LOOK = ("--effort", "quick")


def _demo() -> None:
    config = read_config(CONFIG)
    weights = config.network.weights
    if weights is not None and not weights.is_file():
        from .train import train

        weights.parent.mkdir(parents=True, exist_ok=True)
        say("training a small ResNet on the digits ...")
        with share_bar("train") as bar:
            accuracy = train(weights, progress=bar)
        say(f"trained: {accuracy:.2%} of the test digits are right")
    for arguments in (["run", str(CONFIG)], ["evaluate", str(config.bundle), *_LOOK]):
        code = app(arguments, standalone_mode=False)
        if code:
            raise typer.Exit(code)


if __name__ == "__main__":
    sys.exit(guarded(_demo))
