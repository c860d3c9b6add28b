"""One function per Core ML operator, named as MIL names it, with MIL's own parameter names and defaults.

A function takes torch tensors, floats as float32, and computes in float32; rounding its result to float16 is
the caller's part. To add an operator, write its function into the file it belongs to: every public function
of these files is found by its name.

Source: the operator definitions of coremltools (converters/mil/mil/ops/defs), iOS 15 to iOS 18.
"""

from collections.abc import Callable
from typing import Any

from . import (
    activation,
    binary,
    compressed,
    conv,
    image,
    logic,
    normalization,
    order,
    pool,
    reduction,
    resize,
    scatter,
    shape,
    slicing,
    unary,
)

_FILES = (
    *(activation, binary, compressed, conv, image, logic, normalization, order, pool, reduction, resize),
    *(scatter, shape, slicing, unary),
)

#: operator type -> its function
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name.removesuffix("_"): value
    for file in _FILES
    for name, value in vars(file).items()
    if callable(value) and getattr(value, "__module__", None) == file.__name__ and not name.startswith("_")
}
