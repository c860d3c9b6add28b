"""The whole flow, as a deploy.toml describes it; build.py is read first."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .build import build as build
    from .build import run as run
    from .config import read_config as read_config
    from .fingerprint import fingerprint as fingerprint

__getattr__ = exports(
    __name__,
    {"build": "build", "fingerprint": "fingerprint", "run": "build", "read_config": "config"},
)
