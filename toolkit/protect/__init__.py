"""Fit a protection to the frozen network (fuse.py), set its strength (calibrate.py), read it back (protected.py)."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .fuse import protect as protect
    from .protected import Protected as Protected
    from .protected import load_protected as load_protected
    from .settings import ProtectSettings as ProtectSettings

__getattr__ = exports(
    __name__,
    {"ProtectSettings": "settings", "Protected": "protected", "load_protected": "protected", "protect": "fuse"},
)
