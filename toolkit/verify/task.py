"""Does the user's task still work? Answers through the tail: of the goldens, and of many test images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..package import limits
from ..tasks.classify import Classify
from .compare import max_abs, sqnr_db
from .statistics import Share

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..bundle import Bundle
    from ..records.parity import ParityRow
    from ..tasks.base import Answers, Task
    from .replay import Array, Goldens
    from .rows import Subject

    Tail = Callable[[Array], Array]
    Integers = np.ndarray[tuple[int, ...], np.dtype[Any]]

#: at most this many test images and multiply-accumulates of heads: together a few seconds per head
_MOST_IMAGES, _MOST_MACS = 200, 4e9
_LEAST_IMAGES = 32
#: eager torch's own top-1 is a toss-up where its lead is below this share of the logits' spread
_TIE = 1e-3
#: what an fp32 head's answers may lose by any other comparison
_NEARLY = 0.999
#: what one request may carry: a server takes 16 MiB by default
_MOST_ROWS, _MOST_BYTES = 16, 8 << 20


@dataclass(frozen=True)
class TaskImages:
    """Test images with a fixed eps each, and eager torch's logits.

    Attributes:
        images: [n,C,H,W].
        eps: [n,...] or None.
        labels: [n], -1 where unknown.
        logits: [n,K].
        task: how answers are compared.
    """

    images: Array
    eps: Array | None
    labels: Integers
    logits: Array
    task: Task

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
    return TaskImages(
        images.numpy(), None if eps is None else eps.numpy(), labels.numpy(), logits.numpy(), found.split.task
    )


def through(tail: Tail, smashed: Array) -> Array:
    """Logits [n,K] of any number of features, as many at a time as a request may carry."""
    batch = max(1, min(_MOST_ROWS, _MOST_BYTES // smashed[0].nbytes))
    return np.concatenate([tail(smashed[i : i + batch]) for i in range(0, len(smashed), batch)])


def end_to_end_row(
    subject: Subject, goldens: Goldens, logits: Array, *, features_agree: bool, task: Task | None = None
) -> ParityRow:
    """Compare the logits [n,K] of the photos among the goldens.

    Args:
        subject: what made the features.
        goldens: inputs and eager torch's answers.
        logits: the tail's answers to the head's features of the real images.
        features_agree: whether those features passed; if so, what departs here is the tail.
        task: how answers are compared; None: by their top class.
    """
    expected = goldens.expected["logits"][goldens.real()]
    worst, sqnr = max_abs(expected, logits), sqnr_db(expected, logits)
    agreement, passed, text = _agreement(subject.kept, expected, logits, task or Classify())
    if subject.kept == "fp32":
        allowed = 10 * limits.largest_difference(1e-4, expected)
        text, passed = f"{text.split(',')[0]}, max_abs <= {allowed:.2g}", passed and worst <= allowed
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


def task_row(subject: Subject, images: TaskImages, logits: Array) -> ParityRow:
    """Compare answers on many images with eager torch's and, where labels say what is right, with those."""
    agreement, passed, text = _agreement(subject.kept, images.logits, logits, images.task)
    worst, sqnr = max_abs(images.logits, logits), sqnr_db(images.logits, logits)
    if not images.task.uses_labels or bool((images.labels < 0).any()):
        note = f"{images.task.agreement} {agreement.value:.1%}"
        return subject.row(
            "task",
            "task",
            text,
            passed,
            n=len(logits),
            max_abs=worst,
            sqnr_db=sqnr,
            agreement=agreement,
            note=note,
        )
    right = _share(_scores(images, logits))
    eager = float(_scores(images, images.logits).mean())
    low, high = right.interval
    return subject.row(
        "task",
        "task",
        text,
        passed and high >= eager,
        n=len(logits),
        max_abs=worst,
        sqnr_db=sqnr,
        agreement=agreement,
        accuracy=right,
        eager_accuracy=eager,
        note=f"accuracy {right.value:.1%} (95 %: {low:.1%} to {high:.1%}), eager torch {eager:.1%}",
    )


def _kept(task: Task, logits: Array) -> Answers:
    return task.keep(task.answers(torch.from_numpy(np.ascontiguousarray(logits))))


def _scores(images: TaskImages, logits: Array) -> Array:
    scores: Array = images.task.right(_kept(images.task, logits), torch.from_numpy(images.labels)).numpy()
    return scores


def _share(scores: Array) -> Share:
    """Scores between 0 and 1 count as that much of a hit: an interval too wide rather than too narrow."""
    return Share(round(float(scores.sum())), len(scores))


def _agreement(precision: str, expected: Array, logits: Array, task: Task) -> tuple[Share, bool, str]:
    """Agreement of answers; it fails where the interval lies below the least share, so that few images prove nothing.

    An fp32 head must give every image's top class but for ties; of other tasks, all but a thousandth of each answer.
    """
    same = task.compare(_kept(task, logits), _kept(task, expected)).numpy()
    share, least = _share(same), limits.least_agreement(precision)
    classes = isinstance(task, Classify)
    name = "top-1" if classes else task.agreement.partition(" ")[0]
    if precision != "fp32":
        return share, share.interval[1] >= least, f"{name} >= {least:.0%}"
    if not classes:
        return share, bool(same.mean() >= _NEARLY), f"{name} >= {_NEARLY:.1%}"
    two = np.sort(expected, axis=1)[:, -2:] if expected.shape[1] > 1 else np.repeat(expected, 2, 1)
    tie = two[:, 1] - two[:, 0] <= _TIE * expected.std(axis=1)
    return share, bool(((same > 0) | tie).all()), "top-1, except for ties"
