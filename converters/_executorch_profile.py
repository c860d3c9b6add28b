"""ExecuTorch's profiler: an ETDump, read by its Inspector down to the delegate's own kernels."""

from __future__ import annotations

import re
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import Array

#: rows that sum up others
_WHOLE = ("Method::execute", "Method::init", "DELEGATE_CALL", "OPERATOR_CALL", "Program::load_method")


def collect(entry: Path, inputs: Mapping[str, Array], runs: int) -> dict[str, tuple[int, float]]:
    """Median ms per kernel over `runs` runs; the resolution of an ETDump is a microsecond."""
    import torch
    from executorch.devtools import Inspector
    from executorch.runtime import Runtime

    # a debug buffer aborts the process on large heads, and the times need none
    program = Runtime.get().load_program(entry, enable_etdump=True, debug_buffer_size=0)
    method = program.load_method("forward")
    if method is None:
        raise RuntimeError("the program has no method forward")
    feed = [torch.from_numpy(inputs[name]) for name in ("image", "eps") if name in inputs]
    for _ in range(runs + 1):
        method.execute(feed)
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "etdump"
        program.write_etdump_result_to_file(str(dump), str(Path(folder) / "debug"))
        blocks = Inspector(etdump_path=str(dump)).event_blocks
    operators: dict[str, tuple[int, float]] = {}
    for event in (event for block in blocks if block.name == "Execute" for event in block.events):
        if event.name in _WHOLE or event.perf_data is None:
            continue
        calls, ms = operators.get(kind := re.sub(r" #\d+$", "", event.name), (0, 0.0))
        operators[kind] = (calls + 1, ms + statistics.median(event.perf_data.raw[1:]))
    return operators
