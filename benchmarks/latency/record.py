"""What every result file says beside its figures: the command, the machine, the versions and the day."""

from __future__ import annotations

import datetime
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from toolkit.records.machine import this_host
from toolkit.records.tools import tool_versions

PACKAGES = ("torch", "torchao", "executorch", "onnx", "onnxscript", "onnxruntime", "ai-edge-litert", "numpy")


def provenance() -> dict[str, object]:
    """Describe this run; the host is never called a phone."""
    host = this_host()
    program, *words = (Path(word).name if "/tmp" in word else word for word in sys.argv)
    return {
        "command": shlex.join(["python", f"benchmarks/latency/{Path(program).name}", *words]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{host.cores}-core {host.cpu} virtual machine, {host.os}; not a phone",
        "versions": tool_versions(*PACKAGES),
    }


def write(out: Path | None, result: Mapping[str, object]) -> None:
    """Print a result as one line of JSON, and keep it as a file where one is named."""
    print(json.dumps(result), flush=True)
    if out is not None:
        out.write_text(json.dumps(result, indent=1) + "\n")
