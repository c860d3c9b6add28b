"""Name a common fault of a head by experiment: give it what it seems to expect, and see whether it then agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .compare import sqnr_db
from .relation import relation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .replay import Array, Goldens

    Feed = dict[str, Array]

#: a changed input explains a failure when answers then agree this well and so much better than before, in dB
_AGREES, _BETTER = 15.0, 10.0


def diagnose(run: Callable[[Feed], Array], goldens: Goldens, got: Array) -> str:
    """Say what is wrong with a head, or "" where no experiment shows it.

    Args:
        run: one execution, batch 1.
        goldens: inputs and eager torch's answers.
        got: the head's answers to them [n,c,h,w].
    """
    index = goldens.real()[0]
    expected, plain = goldens.smashed[index : index + 1], got[index : index + 1]
    seen = relation(expected, plain)
    if not np.isfinite(plain).all():
        return seen
    before = sqnr_db(expected, plain)
    for name, feed in _experiments(goldens.feed(index)):
        after = sqnr_db(expected, run(feed))
        if after >= _AGREES and after >= before + _BETTER:
            return name
    return seen


def _experiments(feed: Feed) -> Iterator[tuple[str, Feed]]:
    image = feed["image"]
    if image.shape[1] == 3:
        swapped = np.ascontiguousarray(image[:, ::-1])
        yield "red and blue are swapped: with a BGR image it agrees", feed | {"image": swapped}
    for name, value in feed.items():
        for layout, other in (("NHWC", _as_nhwc(value)), ("NCHW in NHWC's place", _as_nchw(value))):
            if not np.array_equal(other, value):
                yield f"{name} is read in another layout: with {layout} values it agrees", feed | {name: other}
    for name, value in feed.items():
        if value.ndim == 4 and value.shape[2] == value.shape[3]:
            turned = np.ascontiguousarray(value.swapaxes(2, 3))
            yield f"{name} is read with height and width swapped", feed | {name: turned}


def _as_nhwc(value: Array) -> Array:
    """The bytes of the NHWC form under the shape of the NCHW form."""
    return np.ascontiguousarray(value.transpose(0, 2, 3, 1)).reshape(value.shape) if value.ndim == 4 else value


def _as_nchw(value: Array) -> Array:
    if value.ndim != 4:
        return value
    n, c, h, w = value.shape
    return np.ascontiguousarray(value.reshape(n, h, w, c).transpose(0, 3, 1, 2))
