"""Serves an archive with an engine that does nothing: what is left is the transport.

python benchmarks/serving/noop.py X.mar READY_FILE [PORT]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from cloud_tail.archive import Archive
from cloud_tail.server import Options, serve


class Nothing:
    """Answers zeros."""

    def __init__(self, archive: Archive, **_: object) -> None:
        self._zeros = np.zeros((64, archive.signature.logits.shape[1]), np.float32)

    def run(self, features: np.ndarray) -> np.ndarray:
        return self._zeros[: len(features)]


if __name__ == "__main__":
    port = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    serve([Path(sys.argv[1])], Options(port=port, ready_file=Path(sys.argv[2])), load=Nothing)
