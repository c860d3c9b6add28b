"""Convert the protected head to what phones run."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .heads import convert as convert
    from .heads import plan_heads as plan_heads

__getattr__ = exports(
    __name__,
    {"convert": "heads", "plan_heads": "heads"},
)
