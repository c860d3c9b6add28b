"""How long a head takes: interleaved timing, the machine's condition, profiles, memory, phones over adb."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .heads import measure_bundle as measure_bundle
    from .settings import MeasureSettings as MeasureSettings

__getattr__ = exports(
    __name__,
    {"measure_bundle": "heads", "MeasureSettings": "settings"},
)
