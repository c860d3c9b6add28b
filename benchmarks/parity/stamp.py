"""Where, when and with what a result was made: stands in every result file."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime

from toolkit.records.machine import this_host
from toolkit.records.tools import tool_versions

_TOOLS = (
    *("torch", "torchvision", "executorch", "torchao", "coremltools", "litert-torch", "ai-edge-litert"),
    *("ai-edge-quantizer", "coreai-torch", "coreai-core", "onnx", "onnxscript", "onnxruntime", "numpy"),
)


def stamp() -> dict[str, object]:
    """The command, the machine, the date and the versions."""
    host = this_host()
    return {
        "command": shlex.join(["python", *sys.argv]),
        "machine": f"{host.cores}-core {host.cpu}, {host.os}",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": tool_versions(*_TOOLS),
    }
