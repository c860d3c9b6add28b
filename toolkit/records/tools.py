"""Versions of what made a file, for the manifest and the reports."""

from importlib import metadata

from .. import __version__


def tool_versions(*distributions: str) -> dict[str, str]:
    """Return pripro's own version and those of the named distributions that are installed."""
    found = {"pripro-toolkit": __version__}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
