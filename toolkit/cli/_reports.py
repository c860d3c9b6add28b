"""Reports of a bundle: shown in any case, kept where the bundle can be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._console import say

if TYPE_CHECKING:
    from ..bundle import Bundle


def will_keep(bundle: Bundle) -> bool:
    """Return whether a report can be kept; if not, say so before the work begins."""
    able = bundle.can_report()
    if not able:
        say(
            f"note: {bundle.root} cannot be written to: the result is shown and not kept; "
            "for a report, copy the bundle to a folder that you may write to."
        )
    return able
