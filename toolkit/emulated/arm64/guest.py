"""Runs inside the aarch64 system: guest.py ROOM SITE MODULE CLASS ENTRY, inputs.npz in ROOM -> smashed.npy in ROOM."""

import importlib
import sys
from pathlib import Path


def main(room: Path, site: str, name: str, kind: str, entry: Path) -> None:
    """Open the head with its converter's own runner and execute it once."""
    sys.path[:0] = [site, str(room)]
    import numpy as np

    module = importlib.import_module(name)
    try:
        runner = getattr(module, kind)().load(entry, threads=1)
        with np.load(room / "inputs.npz", allow_pickle=False) as inputs:
            np.save(room / "smashed.npy", runner.run(dict(inputs)))
    except Exception as error:  # the runtimes' exceptions share no root; the host makes a sentence of it
        sys.exit(" ".join(str(error).split()) or type(error).__name__)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], Path(sys.argv[5]))
