"""Saved torch.export programs, loaded without running anything that is hidden in them.

`torch.export.load` falls back to full pickle for sample inputs, unpickles custom constants, and evaluates
size expressions as Python. A .pt2 from somebody else is therefore inspected first: only plain tensors and
plain size arithmetic pass.
"""

from __future__ import annotations

import ast
import io
import json
import logging
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .weights import UnsafeFileError, load_tensors_only, refuse_pointer

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_LARGEST_JSON = 256 * 2**20
_SAFE_CALLS = {
    "Symbol",
    "Integer",
    "Add",
    "Mul",
    "Pow",
    "Mod",
    "Max",
    "Min",
    "FloorDiv",
    "CleanDiv",
    "CeilDiv",
    "ModularIndexing",
}
_SAFE_NODES = (
    ast.Expression,
    ast.Call,
    ast.Name,
    ast.Load,
    ast.Constant,
    ast.keyword,
    ast.BinOp,
    ast.UnaryOp,
    ast.operator,
    ast.unaryop,
)
_SYMBOL = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,30}$")


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write an exported program as .pt2 (tensors as raw bytes, graph as JSON)."""
    import torch

    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    path.write_bytes(buffer.getvalue())


def load_program(path: Path) -> ExportedProgram:
    """Read a .pt2 after checking that reading it cannot run code.

    Raises:
        InputError: not a .pt2, damaged, or carrying pickled objects, native code or odd expressions.
    """
    import torch

    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); make the bundle again, or copy it again."
        ) from None
    refuse_pointer(data[:64], path)
    _inspect(data, path)
    log = logging.getLogger("torch.export")
    before, log.disabled = log.disabled, True  # it logs a traceback; the sentence below says what to do
    try:
        return torch.export.load(io.BytesIO(data))
    except Exception as error:  # the loader raises whatever its many readers raise
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        if "warnings above" in reason:
            reason = "it is damaged, or torch.save or torch.jit.save wrote it"
        raise InputError(
            f"{path} cannot be loaded as an exported program ({reason}); save it again with torch.export.save."
        ) from error
    finally:
        log.disabled = before


def _inspect(data: bytes, path: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _inspect_members(archive, path)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, zipfile.LargeZipFile) as error:
        raise InputError(
            f"{path} is not a program saved by torch.export.save ({error}); "
            "give a .pt2 file, a known name or module:factory."
        ) from None


def _inspect_members(archive: zipfile.ZipFile, path: Path) -> None:
    for info in archive.infolist():
        inner = info.filename.partition("/")[2]
        if inner.startswith(("data/weights/", "data/constants/")) and inner.endswith(".pt"):
            raise _refuse(path, f"holds pickled tensors ({inner})")
        if inner.startswith("data/aotinductor"):
            raise _refuse(path, "holds compiled native code")
        if inner.endswith("_config.json"):
            _inspect_payloads(_read_json(archive, info), path)
        elif inner.startswith("data/sample_inputs/"):
            _inspect_samples(archive.read(info), path)
        elif inner.startswith("models/"):
            _inspect_expressions(_read_json(archive, info), path)


def _read_json(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:  # noqa: ANN401 (JSON is any)
    if info.file_size > _LARGEST_JSON:
        raise ValueError(f"{info.filename} is too large")
    return json.loads(archive.read(info))


def _inspect_payloads(config: dict[str, Any], path: Path) -> None:
    for name, payload in config.get("config", {}).items():
        if payload.get("use_pickle") or str(payload.get("path_name", "")).startswith(("custom_obj", "opaque")):
            raise _refuse(path, f"holds a pickled object ({name})")


def _inspect_samples(data: bytes, path: Path) -> None:
    try:
        if data:
            load_tensors_only(io.BytesIO(data))
    except (UnsafeFileError, RuntimeError):
        raise _refuse(path, "holds sample inputs that are more than tensors") from None


def _inspect_expressions(part: Any, path: Path) -> None:  # noqa: ANN401 (JSON is any)
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "expr_str" and not _plain_arithmetic(str(value)):
                raise _refuse(path, "holds a size expression that is not plain arithmetic")
            _inspect_expressions(value, path)
    elif isinstance(part, list):
        for value in part:
            _inspect_expressions(value, path)


def _plain_arithmetic(text: str) -> bool:
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    for node in ast.walk(tree):
        if not isinstance(node, _SAFE_NODES):
            return False
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in _SAFE_CALLS):
            return False
        if isinstance(node, ast.Name) and not _SYMBOL.match(node.id):
            return False
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not _SYMBOL.match(node.value):
            return False
    return True


def _refuse(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} {why}, which could run code on loading; export the network again with plain tensors only, "
        "or load its weights with --weights from safetensors."
    )
