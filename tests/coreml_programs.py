"""Small Core ML programs for tests: built with coremltools' builder, written by coremltools' own serialiser."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from converters._quiet import quiet

with quiet(), warnings.catch_warnings():
    # coremltools imports executorch and torchao to look at their versions; those use deprecated functions
    warnings.simplefilter("ignore", DeprecationWarning)
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.backend.mil.load import load as to_proto
    from coremltools.converters.mil.mil import types

__all__ = ["ct", "mb", "types", "vendor_value", "write"]

_TYPES = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32}


def write(build: Callable, arrays: dict[str, np.ndarray], folder: Path, opset: "ct.target" = ct.target.iOS17) -> Path:
    """Save the program `build(**inputs)` as folder/m.mlpackage, operator by operator as built, nothing optimised."""
    names = ", ".join(arrays)
    truths = [name for name, array in arrays.items() if array.dtype == bool]

    def body(**inputs):
        # Core ML takes and gives numbers only: truth values travel as integers
        for name in truths:
            inputs[name] = mb.cast(x=inputs[name], dtype="bool")
        made = build(*inputs.values())
        results = made if isinstance(made, list | tuple) else [made]
        results = [mb.cast(x=r, dtype="int32") if r.dtype == types.bool else r for r in results]
        return tuple(results) if len(results) > 1 else results[0]

    keywords = ", ".join(f"{name}={name}" for name in arrays)
    scope: dict = {"body": body}
    exec(f"def function({names}):\n    return body({keywords})", scope)  # the builder reads names off the signature
    specs = [
        mb.TensorSpec(shape=a.shape, dtype=types.int32 if name in truths else _TYPES[a.dtype.name])
        for name, a in arrays.items()
    ]
    with quiet():
        program = mb.program(input_specs=specs, opset_version=opset)(scope["function"])
        spec = to_proto(program, str(folder), specification_version=opset.value)
        path = folder / "m.mlpackage"
        ct.models.utils.save_spec(spec, str(path), weights_dir=str(folder))
    return path


def vendor_value(build: Callable, arrays: dict[str, np.ndarray], opset: "ct.target" = ct.target.iOS17) -> np.ndarray:
    """What coremltools itself says that the program gives: its constant folding, written in numpy by Apple."""
    found = []

    def function(unused):
        results = build(*arrays.values())
        for result in results if isinstance(results, list | tuple) else [results]:
            value = result.val
            if value is None and result.op.op_type.startswith("constexpr_"):
                value = result.op.materialized_val_inference()
            assert value is not None, f"coremltools does not fold {result.op.op_type}"
            found.append(np.asarray(value))
        return mb.identity(x=unused)

    with quiet():
        mb.program(input_specs=[mb.TensorSpec(shape=(1,))], opset_version=opset)(function)
    return found
