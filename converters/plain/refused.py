"""Operators that no rewrite brings to a target: refused by name, before its converter is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import ConverterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch.export import ExportedProgram
    from torch.fx import Node

_TITLES = {"executorch": "ExecuTorch", "coreml": "Core ML", "tflite": "TFLite", "onnx": "ONNX", "coreai": "Core AI"}

_TRANSFORMS = ["fft", "fft2", "fftn", "rfft2", "rfftn", "ifft", "ifft2", "ifftn", "irfft", "irfft2", "irfftn"]
_NO_COMPLEX = dict.fromkeys(("executorch", "coreml"), "its operator set has no complex numbers")
_LAST_AXIS = {"tflite": "it transforms real numbers along the last axis alone"}

#: the operator's name without overload -> target -> why
REFUSED: dict[str, dict[str, str]] = {
    "aten.fft_rfft": _NO_COMPLEX,
    **{f"aten.fft_{kind}": _NO_COMPLEX | _LAST_AXIS for kind in _TRANSFORMS},
}


def refuse(program: ExportedProgram, target: str) -> None:
    """Look for operators that a target cannot have.

    Raises:
        ConverterError: the first one, where it stands in the network, and why.
    """
    for node in program.graph.nodes:
        if node.op == "call_function":
            name = str(node.target).rpartition(".")[0]
            reason = REFUSED.get(name, {}).get(target)
            if reason:
                raise ConverterError(
                    f"{_TITLES.get(target, target)} has no {name.removeprefix('aten.')} ({reason}), which stands in "
                    f"{place(node)}; choose another cut or target, or replace that operator in the network."
                )


def place(node: Node) -> str:
    """Name the module that an operator stands in and the line of code that called it."""
    return " at ".join(part for part in _parts(node)) or "the network"


def _parts(node: Node) -> Iterator[str]:
    paths = [path for path, _ in node.meta.get("nn_module_stack", {}).values() if path]
    if paths:
        yield paths[-1].removeprefix("backbone.")
    lines = [line.strip() for line in (node.meta.get("stack_trace") or "").splitlines()]
    frames: Iterable[str] = [line for line in lines if line.startswith("File ") and "/torch/" not in line]
    for frame in list(frames)[-1:]:
        file, line = frame.split(",")[:2]
        yield f"{file.removeprefix('File ').strip(chr(34)).rpartition('/')[2]}:{line.strip().removeprefix('line ')}"
