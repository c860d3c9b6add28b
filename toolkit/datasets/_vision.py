"""torchvision, also beside a torch build that its compiled operators do not match."""

import importlib
import sys
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import MissingExtraError

if TYPE_CHECKING:
    from torch.library import Library

_kept: list["Library"] = []  # a declared operator lives as long as its Library object
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def torchvision() -> ModuleType:
    """Import torchvision once, whatever build of torch is installed.

    A CUDA build of torchvision beside a CPU build of torch fails on import, because an operator that only
    detection models use is missing. Declaring that operator lets the rest, all that we need, load. It must
    not be declared first: where the compiled part does load, a second declaration aborts the process.

    Raises:
        MissingExtraError: torchvision is not installed.
    """
    try:
        return _import()
    except ModuleNotFoundError:
        raise MissingExtraError("torchvision", "torch", "Loading a named network or an image folder") from None
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    from torch.library import Library

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    _kept.append(Library("torchvision", "FRAGMENT"))
    for schema in _SCHEMAS:
        _kept[0].define(schema)
    return _import()


def _import() -> ModuleType:
    module = importlib.import_module("torchvision")
    importlib.import_module("torchvision.models")
    importlib.import_module("torchvision.datasets")
    importlib.import_module("torchvision.transforms.functional")
    return module
