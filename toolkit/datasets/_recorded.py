"""The photos that a bundle was protected with: found where they were or where they are now, and known by content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError, MovedDataError
from ._data import DataSplits, load_data
from ._index import tell

if TYPE_CHECKING:
    from ..records.bundle import DataRef, Manifest


def recorded_data(manifest: Manifest, given: str | None = None) -> DataSplits | None:
    """Open the photos that a bundle's manifest names, or those that the user names instead.

    Args:
        manifest: of the bundle.
        given: --data: where the photos are now, or others to use in their place; said on stderr where they are others.

    Returns:
        None where the bundle was protected without photos and none are given.

    Raises:
        MovedDataError: nothing is given, and the recorded photos are not where they were, or are others.
        InputError: what is given cannot be used.
    """
    recorded = None if manifest.protection is None else manifest.protection.data
    if given is not None:
        data = load_data(given, manifest.preprocess, labels=manifest.labels)
        if recorded is not None and not same(data.ref, recorded):
            tell((f"{given}: other photos than those that the bundle was protected with ({recorded.spec}).",))
        return data
    if recorded is None:
        return None
    try:
        data = load_data(recorded.spec, manifest.preprocess, labels=manifest.labels)
    except InputError as error:
        raise MovedDataError(
            f"The photos that the bundle was protected with cannot be opened ({error.args[0].rstrip('.')}); "
            "give their present place with --data."
        ) from None
    if not same(data.ref, recorded):
        now = 0 if data.ref is None else data.ref.photos
        raise MovedDataError(
            f"{recorded.spec} holds {now:,} photos that are not the {recorded.photos:,} that the bundle was protected "
            "with; give their place with --data, or other photos to use instead."
        )
    return data


def same(found: DataRef | None, recorded: DataRef) -> bool:
    """Whether these are the recorded photos, whatever they are called now."""
    return found is not None and found.digest == recorded.digest
