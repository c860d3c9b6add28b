"""The cloud's half: the tail's archive (tail.py), the goldens that travel with it, a server for it, the demo apps."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .serving import serving as serving
    from .settings import PackageSettings as PackageSettings
    from .tail import package as package

__getattr__ = exports(
    __name__,
    {"PackageSettings": "settings", "package": "tail", "serving": "serving"},
)
