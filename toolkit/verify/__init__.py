"""Does a converted head compute what eager torch does, in numbers, in noise and for the task?

Read in this order: report.py (the flow), replay.py (the goldens), judging.py with numeric.py and privacy.py (the
verdicts), task.py (through the tail), diagnose.py and relation.py (naming a fault by experiment), explain.py (the first
layer that departs; eager.py and traced.py find the layers), device.py and
elsewhere.py (phones, aarch64, old runtimes).
"""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .report import verify as verify

__getattr__ = exports(
    __name__,
    {"verify": "report"},
)
