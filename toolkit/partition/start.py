"""Start a bundle from settings: read the network and the labels, describe the preprocessing, cut."""

from __future__ import annotations

from pathlib import Path

from ..bundle import Bundle
from ..datasets._preprocess import preprocess_for
from ..errors import InputError
from .network import load_network, parse_shape
from .settings import PartitionSettings
from .split import partition


def start(settings: PartitionSettings, out: Path, *, fingerprint: str = "") -> Bundle:
    """Cut a trained network, exact to the bit, and start a bundle with it.

    Args:
        settings: the network and the cut.
        out: the bundle folder to make.
        fingerprint: remembered as this stage's.

    Raises:
        InputError: a network, shape, label file or preprocessing that does not fit.
        BundleError: the folder holds something else, or cannot be written.
    """
    shape = parse_shape(settings.input)
    how = preprocess_for(shape, settings.mean, settings.std, settings.resize)
    labels = read_labels(settings.labels)
    classes = settings.classes if settings.classes is not None or labels is None else len(labels)
    network = load_network(settings.source, shape, settings.weights, classes)
    return partition(
        network, settings.cut, out, preprocess=how, labels=labels, weights=settings.weights, fingerprint=fingerprint
    )


def read_labels(path: Path | None) -> list[str] | None:
    """Read class names, one a line; empty lines do not count.

    Raises:
        InputError: no such text file.
    """
    if path is None:
        return None
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} is not a text file of class names, one a line.") from None
