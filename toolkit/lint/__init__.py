"""Which operators of a head a phone's accelerator leaves out, splits at, or gets wrong; report.py is read first."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .report import lint_bundle as lint_bundle
    from .rules import load_backends as load_backends
    from .settings import LintSettings as LintSettings

__getattr__ = exports(__name__, {"lint_bundle": "report", "load_backends": "rules", "LintSettings": "settings"})
