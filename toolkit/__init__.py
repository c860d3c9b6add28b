"""pripro's library: one package per verb, in this order: partition, protect, convert, package, verify, measure.

`pipeline` is the whole flow, read it first. evaluate, plan and lint are side branches. protections, attacks, tasks,
datasets and families (and converters, beside this package) are the extension points: one file per thing, its name is
the registered name.
records defines what is written down, page draws it, emulated runs heads on the phone's instruction set.
"""

import importlib
import os
from collections.abc import Callable, Mapping
from typing import Any

# onnxruntime, from 1.29 on, sends usage data and a device id to its maker unless told not to before it is loaded
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"


def exports(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Make a package's `__getattr__` (PEP 562): its public names, each module loaded when a name of it is first used.

    Args:
        package: the package's `__name__`.
        homes: public name -> the package's module that defines it.
    """

    def find(name: str) -> Any:  # noqa: ANN401 (any public name)
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return find
