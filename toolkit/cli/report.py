"""`pripro report`: write report.html again from the bundle's reports."""

from __future__ import annotations

from ._console import show_text
from ._options import BundleArgument


def command(bundle: BundleArgument) -> None:
    """Write BUNDLE/report.html from the reports in the bundle: one file, opens offline."""
    from ..bundle import Bundle
    from ..page.page import render

    show_text(str(render(Bundle.open(bundle))))
