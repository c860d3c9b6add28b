"""Which cut: every option with its costs, predicted from a few measured ones; report.py is the flow."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .report import plan_network as plan_network

__getattr__ = exports(
    __name__,
    {"plan_network": "report"},
)
