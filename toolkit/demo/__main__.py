"""python -m toolkit.demo: train the demo's network once, then `pripro run` its deploy.toml."""

from __future__ import annotations

import sys
from pathlib import Path

from ..cli._console import say
from ..cli._progress import counted, share_bar
from ..cli.main import app, guarded
from ..config import read_config

CONFIG = Path(__file__).parent / "deploy.toml"


def _demo() -> None:
    weights = read_config(CONFIG).network.weights
    if weights is not None and not weights.is_file():
        from .train import train

        weights.parent.mkdir(parents=True, exist_ok=True)
        say("training a small ResNet on the digits ...")
        with share_bar("train") as bar:
            accuracy = train(weights, progress=counted(bar))
        say(f"trained: {accuracy:.2%} of the test digits are right")
    app(["run", str(CONFIG)], standalone_mode=False)


if __name__ == "__main__":
    sys.exit(guarded(_demo))
