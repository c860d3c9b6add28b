"""From an .mlpackage folder to the parsed program and its weight folder, trusting nothing in it.

Source: Apple's Model.proto and MIL.proto as coremltools ships them (compiled, in ``coremltools/proto``).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import sys
from pathlib import Path

from ..base import ConverterError
from .values import Proto

_ALIAS = f"{__package__}._coremltools_proto"
_MAX_SPEC_BYTES = 256 << 20  # a program without its weights is far smaller
_MAX_MANIFEST_BYTES = 1 << 20


@functools.cache
def model_pb2() -> Proto:
    """Load the compiled Model.proto out of coremltools, without importing coremltools itself.

    ``import coremltools`` takes 9 s: it pulls in torchao, executorch and scikit-learn to look at their
    versions. Its ``proto`` folder needs protobuf only and loads in 0.05 s.

    Raises:
        ConverterError: coremltools is not installed.
    """
    found = importlib.util.find_spec("coremltools")
    if found is None or not found.submodule_search_locations:
        raise ConverterError(
            "Reading a Core ML program needs the package coremltools, which is not installed; "
            "get it with: pip install 'pripro-toolkit[coreml]'"
        )
    if "coremltools.proto" in sys.modules:
        return importlib.import_module("coremltools.proto.Model_pb2")
    folder = Path(found.submodule_search_locations[0]) / "proto"
    spec = importlib.util.spec_from_file_location(
        _ALIAS, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ConverterError(f"{folder} holds no protobuf classes; reinstall coremltools.")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_ALIAS] = package
    spec.loader.exec_module(package)
    return importlib.import_module(f"{_ALIAS}.Model_pb2")


def model_file(package: Path) -> Path:
    """Find the program's file: the entry of Manifest.json that it calls the root model.

    Raises:
        ConverterError: not an .mlpackage folder, or one whose manifest names no file inside of it.
    """
    manifest = package / "Manifest.json"
    if not manifest.is_file():
        raise ConverterError(f"{package} is not a Core ML package (no Manifest.json in it); name an .mlpackage folder.")
    if manifest.stat().st_size > _MAX_MANIFEST_BYTES:
        raise ConverterError(f"{manifest} is larger than 1 MiB, too large for a manifest; convert it again.")
    try:
        content = json.loads(manifest.read_bytes())
        path = content["itemInfoEntries"][content["rootModelIdentifier"]]["path"]
        found = package / "Data" / path
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConverterError(
            f"{manifest} names no model ({type(error).__name__}: {error}); convert it again."
        ) from None
    return _inside(package, found, f"the model that {manifest} names")


def read_spec(path: Path) -> Proto:
    """Parse the protobuf.

    Raises:
        ConverterError: too large, or not a protobuf of this kind.
    """
    model = model_pb2().Model()
    if path.stat().st_size > _MAX_SPEC_BYTES:
        raise ConverterError(f"{path} is larger than {_MAX_SPEC_BYTES >> 20} MiB; weights belong in weight.bin.")
    decode_error = importlib.import_module("google.protobuf.message").DecodeError
    try:
        model.ParseFromString(path.read_bytes())
    except decode_error:
        raise ConverterError(f"{path} is not a Core ML model (its protobuf is damaged); convert it again.") from None
    return model


def weight_file(model: Path, name: str) -> Path:
    """Resolve a weight file's name, such as ``@model_path/weights/weight.bin``, inside the model's folder.

    Raises:
        ConverterError: the name leads out of the folder, or to no file.
    """
    prefix = "@model_path/"
    if not name.startswith(prefix) or "\0" in name:
        raise ConverterError(f"{model} looks for weights in {name!r}, expected a name that begins with {prefix!r}.")
    return _inside(model.parent, model.parent / name.removeprefix(prefix), f"the weight file that {model} names")


def _inside(folder: Path, path: Path, what: str) -> Path:
    """Return the path if it is a file in the folder, also after following links."""
    resolved = path.resolve()
    if not resolved.is_relative_to(folder.resolve()):
        raise ConverterError(f"{what} lies outside of its package ({path}); do not use this package.")
    if not resolved.is_file():
        raise ConverterError(f"{what} is missing ({path}); copy the whole .mlpackage folder.")
    return resolved
