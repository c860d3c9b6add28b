"""Start a bundle from settings: read the network and the labels, describe the preprocessing, cut."""

from __future__ import annotations

from pathlib import Path

import torch

from ..bundle import Bundle
from ..datasets._chance import refuse_chance
from ..datasets._data import load_data
from ..datasets._library import preprocess_of
from ..datasets._preprocess import preprocess_for
from ..errors import InputError
from ..records.bundle import DataRef, Preprocess
from .begin import partition, refuse_existing
from .cuts import known_crossing
from .facts import inside_of
from .network import Network, load_network, parse_shape
from .settings import PartitionSettings

#: settings that each say how the image is normalised
_NORMALISES = ("mean", "std", "value_range", "preprocess")
_PREPROCESS = ("mean", "std", "resize", "shorter_side", "interpolation", "antialias", "order", "value_range")


@torch.no_grad()
def start(settings: PartitionSettings, out: Path, *, force: bool = False, fingerprint: str = "") -> Bundle:
    """Cut a trained network, exact to the bit, and start a bundle with it.

    Args:
        settings: the network and the cut.
        out: the bundle folder to make.
        force: replace a bundle that is there, with all that was made for it.
        fingerprint: remembered as this stage's.

    Raises:
        InputError: a network, shape, label file or preprocessing that does not fit.
        BundleError: the folder holds something else, or cannot be written.
    """
    refuse_existing(out, force=force)
    known_crossing(settings.crossing)
    shape = parse_shape(settings.input)
    how = _preprocess(settings, shape)
    labels = read_labels(settings.labels)
    # weights say how many classes there are; labels that are too few or too many are then reported as such
    classes = settings.classes if settings.classes is not None or labels is None or settings.weights else len(labels)
    network = load_network(settings.source, shape, settings.weights, classes)
    if all(getattr(settings, name) == PartitionSettings.model_fields[name].default for name in _NORMALISES):
        how = _unless_inside(network, how)
    accuracy, data = None, None
    if settings.data is not None:
        names = labels or [str(index) for index in range(network.classes)]
        accuracy, data = _measured(network, settings, how, names)
    return partition(
        network, settings.cut, out, preprocess=how, labels=labels, weights=settings.weights, task=settings.task,
        crossing=settings.crossing, force=force, fingerprint=fingerprint, accuracy=accuracy, data=data,
    )  # fmt: skip


def _unless_inside(network: Network, how: Preprocess) -> Preprocess:
    """A network that normalises its image itself gets plain pixels."""
    inside = inside_of(network)
    if not inside.normalises and not inside.bytes:
        return how
    plain = {"mean": [0.0] * how.channels, "std": [1.0] * how.channels, "value_range": 255 if inside.bytes else 1}
    return how.model_copy(update=plain)


def _preprocess(settings: PartitionSettings, shape: tuple[int, int, int]) -> Preprocess:
    given = {name: getattr(settings, name) for name in _PREPROCESS}
    own = {name: value for name, value in given.items() if value != PartitionSettings.model_fields[name].default}
    if settings.preprocess is not None:
        if own:
            raise InputError(
                f"--preprocess {settings.preprocess} says everything, and {', '.join(sorted(own))} was given too; "
                "leave out one or the other."
            )
        return preprocess_of(settings.preprocess, shape)
    return preprocess_for(shape, **own)


def _measured(
    network: Network, settings: PartitionSettings, how: Preprocess, labels: list[str]
) -> tuple[float | None, DataRef | None]:
    """The whole network's accuracy on the test part, and which photos they are."""
    data = load_data(settings.data or "", how, labels=labels)
    if not data.classes or (data.test.labels < 0).all():
        raise InputError(f"{settings.data} has no labels to measure the network with; leave out --data.")
    module = network.program.module(check_guards=False)
    answers = torch.cat([network.flat(module(part)).argmax(1) for part in data.test.photos.split(64)])
    share = (answers == data.test.labels)[data.test.labels >= 0].float().mean().item()
    if not settings.anyway:
        refuse_chance(answers, data.test.labels, settings.data or "")
    return share, data.ref


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
