"""onnxruntime's profiler: one JSON event per kernel and run."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def collect(entry: Path, inputs: Mapping[str, Any], runs: int) -> dict[str, tuple[int, float]]:
    """Mean ms per operator type over `runs` runs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(str(entry), options, providers=["CPUExecutionProvider"])
        for _ in range(2):
            session.run(None, dict(inputs))
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(entry), options, providers=["CPUExecutionProvider"])
        for _ in range(runs):
            session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text())
    calls: Counter[str] = Counter()
    micros: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            kind = event["args"]["op_name"]
            calls[kind] += 1
            micros[kind] += event["dur"]
    return {kind: (calls[kind] // runs, micros[kind] / runs / 1e3) for kind in calls}
