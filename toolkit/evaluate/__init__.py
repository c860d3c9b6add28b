"""What an attacker still gets: report.py for one bundle, sweep.py for many networks, cuts and methods."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .privacy_meter import pi_meter as pi_meter
    from .report import evaluate as evaluate

__getattr__ = exports(
    __name__,
    {"evaluate": "report", "pi_meter": "privacy_meter"},
)
