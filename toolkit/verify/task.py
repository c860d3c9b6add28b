"""Does the user's task still work? Logits through the tail: of the goldens, and of many test images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..package import limits
from .compare import max_abs, sqnr_db
from .statistics import Share

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..bundle import Bundle
    from ..records.parity import ParityRow
    from .replay import Array, Goldens
    from .rows import Subject

    Tail = Callable[[Array], Array]
    Integers = np.ndarray[tuple[int, ...], np.dtype[Any]]

#: at most so many test images, and so many multiply-accumulates of heads: together a few seconds per head
_MOST_IMAGES, _MOST_MACS = 200, 4e9
_LEAST_IMAGES = 32
#: eager torch's own top-1 is no better than a toss where its lead is below this share of the logits' spread
_TIE = 1e-3
#: what one request may carry: a server takes 16 MiB by default
_MOST_ROWS, _MOST_BYTES = 16, 8 << 20


@dataclass(frozen=True)
class TaskImages:
    """Test images with a fixed eps each, and eager torch's logits.

    Attributes:
        images: [n,C,H,W].
        eps: [n,...] or None.
        labels: [n].
        logits: [n,K].
    """

    images: Array
    eps: Array | None
    labels: Integers
    logits: Array

    def replay(self, run: Callable[[dict[str, Array]], Array]) -> Array:
        """A head's answers [n,c,h,w]."""
        feeds = [
            {"image": self.images[i : i + 1]} | ({} if self.eps is None else {"eps": self.eps[i : i + 1]})
            for i in range(len(self.images))
        ]
        return np.concatenate([run(feed) for feed in feeds])


def load_task(bundle: Bundle, data: str | None = None) -> TaskImages | None:
    """Take test images of the data that the bundle was protected with, or None where it was none.

    Raises:
        MovedDataError: they are not where they were, and `data` does not say where they are.
    """
    import torch

    from ..datasets._recorded import recorded_data
    from ..inference import seeded
    from ..protect.protected import load_protected

    photos = recorded_data(bundle.manifest, data)
    if photos is None:
        return None
    test = photos.test
    count = int(min(_MOST_IMAGES, max(_LEAST_IMAGES, _MOST_MACS / max(bundle.manifest.split.head_macs, 1))))
    images, labels = test.photos[:count], test.labels[:count]
    found = load_protected(bundle)
    eps = found.protection.draw_eps(len(images), seeded(11))
    with torch.no_grad():
        logits = torch.cat(
            [
                found.split.tail(found.smash(images[i : i + 1], None if eps is None else eps[i : i + 1]))
                for i in range(len(images))
            ]
        )
    return TaskImages(images.numpy(), None if eps is None else eps.numpy(), labels.numpy(), logits.numpy())


def through(tail: Tail, smashed: Array) -> Array:
    """Logits [n,K] of any number of features, as many at a time as a request may carry."""
    batch = max(1, min(_MOST_ROWS, _MOST_BYTES // smashed[0].nbytes))
    return np.concatenate([tail(smashed[i : i + batch]) for i in range(0, len(smashed), batch)])


def end_to_end_row(subject: Subject, goldens: Goldens, logits: Array, *, features_agree: bool) -> ParityRow:
    """Compare the logits [n,K] of the photos among the goldens.

    Args:
        subject: what made the features.
        goldens: inputs and eager torch's answers.
        logits: the tail's answers to the head's features of the real images.
        features_agree: whether those features passed; if so, what departs here is the tail.
    """
    expected = goldens.expected["logits"][goldens.real()]
    worst, sqnr = max_abs(expected, logits), sqnr_db(expected, logits)
    agreement, passed, text = _agreement(subject.kept, expected, logits)
    if subject.kept == "fp32":
        allowed = 10 * limits.largest_difference(1e-4, expected)
        text, passed = f"top-1, max_abs <= {allowed:.2g}", passed and worst <= allowed
    else:
        passed = passed and np.isfinite(logits).all().item()
    blame = "the features agree, the logits do not: this tail is not the one that belongs to this head"
    return subject.row(
        "end-to-end",
        "task",
        text,
        passed,
        n=len(logits),
        max_abs=worst,
        sqnr_db=sqnr,
        agreement=agreement,
        note=blame if not passed and features_agree else "",
    )


def task_row(subject: Subject, task: TaskImages, logits: Array) -> ParityRow:
    """Compare top-1 classes and accuracy on many images."""
    agreement, passed, text = _agreement(subject.kept, task.logits, logits)
    right = Share(int((logits.argmax(1) == task.labels).sum()), len(logits))
    eager = float((task.logits.argmax(1) == task.labels).mean())
    low, high = right.interval
    return subject.row(
        "task",
        "task",
        text,
        passed and high >= eager,
        n=len(logits),
        max_abs=max_abs(task.logits, logits),
        sqnr_db=sqnr_db(task.logits, logits),
        agreement=agreement,
        accuracy=right,
        eager_accuracy=eager,
        note=f"accuracy {right.value:.1%} (95 %: {low:.1%} to {high:.1%}), eager torch {eager:.1%}",
    )


def _agreement(precision: str, expected: Array, logits: Array) -> tuple[Share, bool, str]:
    """Top-1 agreement; it fails where the interval lies below the least share, so that few images prove nothing.

    An fp32 head must agree on every image that is no tie.
    """
    same = expected.argmax(1) == logits.argmax(1)
    share = Share(int(same.sum()), len(same))
    least = limits.least_agreement(precision)
    if precision == "fp32":
        two = np.sort(expected, axis=1)[:, -2:] if expected.shape[1] > 1 else np.repeat(expected, 2, 1)
        tie = two[:, 1] - two[:, 0] <= _TIE * expected.std(axis=1)
        return share, bool((same | tie).all()), "top-1, but for ties"
    return share, share.interval[1] >= least, f"top-1 >= {least:.0%}"
