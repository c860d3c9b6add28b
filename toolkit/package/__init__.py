"""The cloud's half: the tail's archive (tail.py), the goldens that travel with it, a server for it, the demo apps."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .serving import serving as serving
    from .tail import PackageSettings as PackageSettings
    from .tail import package as package

__getattr__ = exports(
    __name__,
    {"PackageSettings": "tail", "package": "tail", "serving": "serving"},
)
