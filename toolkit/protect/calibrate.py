"""How strong may the noise be? The largest strength that keeps the user's accuracy, found by bisection.

Every method is brought to the same user accuracy this way, so that their privacy can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..inference import Rows, device_of, in_batches, rows_at_once, seeded, smash
from ..partition.split import Split
from ..protections.base import Protection
from ..tasks._truth import Truth, kept_answers, truth_for
from ..tasks.classify import Classify
from .kept import kept

if TYPE_CHECKING:
    from pathlib import Path

    from ..datasets._lazy import LazyImages

#: noise 200 times as strong as trained is as good as no information; the search stops there
MAX_STRENGTH = 200.0
#: one-sided 90 % normal quantile: the test accuracy stays within the drop in about nine of ten cases
_QUANTILE = 1.2816
_BISECTIONS = 12
#: strengths that a waist is tried at, after training at 1
_STRONGER, _WEAKER = (1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0), (0.95, 0.9, 0.8, 0.65, 0.5)
#: and, of a waist that was left at its linear start, which has learned for no strength
_WEAKEST = (0.35, 0.25, 0.15, 0.1, 0.05)


@dataclass(frozen=True)
class CalibrationResult:
    """What the search found. Accuracies are shares in [0, 1] on the images it was given.

    Attributes:
        strength: the strength that the protection was left with.
        unprotected: accuracy without protection.
        protected: accuracy at `strength`, mean over the draws of eps.
        margin: the part of the allowed drop kept back because the images are a finite sample.
        met: whether the drop plus the margin is within what was allowed.
        tried: every (strength, accuracy) looked at, in order.
        images: how many images.
        draws: how many draws of eps per image.
    """

    strength: float
    unprotected: float
    protected: float
    margin: float
    met: bool
    tried: tuple[tuple[float, float], ...]
    images: int
    draws: int


def calibrate_strength(
    protection: Protection,
    head: nn.Module,
    tail: nn.Module,
    images: Tensor | LazyImages,
    labels: Tensor | Truth,
    *,
    max_drop: float,
    draws: int,
    seed: int,
    unprotected_right: Tensor | None = None,
    scratch: Path | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> CalibrationResult:
    """Find the largest strength whose accuracy drop, plus a margin for the finite sample, is within `max_drop`.

    All strengths see the same eps, so that the search compares strengths and not draws. A method
    whose features change even without noise (pripro mixes in mu, the head-trained ones have another head)
    may miss the drop at any strength: then it is left at the strength with the best accuracy, 0, and `met` is False.

    Args:
        protection: fitted; its `strength` is set by this function.
        head: the head as the protection left it.
        tail: the frozen tail.
        images: victim-val images [N,channels,H,W]; never the test images.
        labels: [N] class labels, or whatever else says what is right.
        max_drop: allowed loss of accuracy, in shares (0.01 = one percentage point).
        draws: draws of eps per image.
        seed: seeds the draws.
        unprotected_right: [N] 1 where the network with its *original* head is right, else 0; needed where the
            protection changed the head, computed from `head` and `tail` where None.
        scratch: a folder for features that memory has no room for, or None.
        progress: called with (steps done, steps in all, one line of text).
    """
    smashed = kept(head, images, scratch)
    truth = labels if isinstance(labels, Truth) else truth_for(Classify(), tail, smashed, labels)
    before = truth.unprotected if unprotected_right is None else unprotected_right
    return _search(protection, tail, smashed, truth, before, max_drop, draws, seed, progress)


def calibrate_trained(
    protection: Protection,
    narrow: Split,
    images: Tensor,
    truth: Truth,
    before: Tensor,
    *,
    max_drop: float,
    draws: int,
    seed: int,
    untrained: bool = False,
) -> CalibrationResult:
    """Find the largest strength within `max_drop` of a protection that a decoder was trained for.

    Unlike with a frozen tail, less noise than trained does not mean more accuracy, so the search goes upwards from 1
    and only a little below; but behind a decoder that was left as it began, it does.

    What was trained is judged by the mean; stronger noise has to stay within the drop with a margin for the finite
    sample. Without it, a VGG-11 that had lost 0.15 points of the validation photos at strength 1 was given 4, and lost
    1.8 of the test photos where 1 was allowed (benchmarks/privacy/photos) [ours].

    Args:
        protection: at strength 1; its strength is set by this function.
        narrow: the network with its waist.
        images: victim-val images [N,channels,H,W].
        truth: what is right about them.
        before: [N] 1 where the unprotected network is right.
        max_drop: allowed loss of accuracy, a share of all photos.
        draws: draws of eps per image.
        seed: seeds the draws.
        untrained: whether the decoder was left at its linear start.
    """
    smashed = in_batches(narrow.head, images)
    weaker = (*_WEAKER, *_WEAKEST) if untrained else _WEAKER
    tried: list[tuple[float, float]] = []
    has_noise = protection.eps_shape() is not None

    def look(strength: float) -> tuple[float, float]:
        protection.set_strength(strength)
        now = _share_right(protection, narrow.tail, smashed, truth, draws if has_noise else 1, seed)
        tried.append((strength, now.mean().item()))
        lost = before - now
        return lost.mean().item(), _margin(lost)

    kept, margin, met = 1.0, 0.0, look(1.0)[0] <= max_drop
    if has_noise and met:
        for strength in _STRONGER:
            lost, kept_back = look(strength)
            if lost + kept_back > max_drop:
                break
            kept, margin = strength, kept_back
    elif has_noise:
        kept, met = next(((strength, True) for strength in weaker if look(strength)[0] <= max_drop), (1.0, False))
    protection.set_strength(kept)
    accuracy = dict(tried)[kept]
    return CalibrationResult(
        kept, before.mean().item(), accuracy, margin, met, tuple(tried), len(images), draws if has_noise else 1
    )


def calibrate_privacy(
    protection: Protection,
    pi_at: Callable[[], float],
    *,
    min_pi: float,
    least: float = 0.0,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> float:
    """Find the smallest strength with PI >= `min_pi`: the other direction of the search.

    Args:
        protection: fitted; left at the strength found, or at MAX_STRENGTH where even that does not reach `min_pi`.
        pi_at: measures PI at the protection's present strength, with an attacker retrained for it.
        min_pi: in [0, 1].
        least: no strength below it is tried.
        progress: called with (steps done, steps in all, one line of text).

    Returns:
        PI at the strength found.
    """
    steps = 6
    low, high, best = least, max(least, 1.0), None
    total = 8 + steps
    for done in range(8):
        protection.set_strength(high)
        best = pi_at()
        progress(done + 1, total, f"strength {high:.2f}: PI {best:.3f}")
        if best >= min_pi or high >= MAX_STRENGTH:
            break
        low, high = high, min(high * 2, MAX_STRENGTH)
    if best is not None and best >= min_pi:
        for done in range(steps):
            middle = (low + high) / 2
            protection.set_strength(middle)
            here = pi_at()
            progress(8 + done + 1, total, f"strength {middle:.2f}: PI {here:.3f}")
            if here >= min_pi:
                high, best = middle, here
            else:
                low = middle
    protection.set_strength(high)
    progress(total, total, f"strength {high:.2f}")
    return best if best is not None else 0.0


def _search(
    protection: Protection,
    tail: nn.Module,
    smashed: Rows,
    truth: Truth,
    clean: Tensor,
    max_drop: float,
    draws: int,
    seed: int,
    progress: Callable[[int, int, str], None],
) -> CalibrationResult:
    tried: list[tuple[float, float]] = []
    has_noise = protection.eps_shape() is not None
    total = (_BISECTIONS + 4) if has_noise else 1

    def look(strength: float) -> tuple[float, float, bool]:
        protection.set_strength(strength)
        kept_right = _share_right(protection, tail, smashed, truth, draws if has_noise else 1, seed)
        lost = clean - kept_right
        margin = _margin(lost)
        accuracy = kept_right.mean().item()
        tried.append((strength, accuracy))
        progress(min(len(tried), total), total, f"strength {strength:.3f}: accuracy {accuracy:.2%}")
        return accuracy, margin, lost.mean().item() + margin <= max_drop

    def result(strength: float, found: tuple[float, float, bool]) -> CalibrationResult:
        protection.set_strength(strength)
        accuracy, margin, met = found
        progress(total, total, f"strength {strength:.3f}: accuracy {accuracy:.2%}")
        return CalibrationResult(
            strength, clean.mean().item(), accuracy, margin, met, tuple(tried), len(clean), draws if has_noise else 1
        )

    if not has_noise:
        strength = protection.strength.item()
        return result(strength, look(strength))
    bottom = look(0.0)
    if not bottom[2]:
        return result(0.0, bottom)
    low, kept, high = 0.0, bottom, 1.0
    while high <= MAX_STRENGTH:
        found = look(high)
        if not found[2]:
            break
        low, kept, high = high, found, high * 2
    else:
        return result(low, kept)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        found = look(middle)
        if found[2]:
            low, kept = middle, found
        else:
            high = middle
        if high - low < 0.01 * high:
            break
    return result(low, kept)


def _margin(lost: Tensor) -> float:
    """How much more than the mean of lost [N] the test photos may lose."""
    return _QUANTILE * lost.std().item() / math.sqrt(len(lost)) if len(lost) > 1 else 0.0


@torch.no_grad()
def _share_right(protection: Protection, tail: nn.Module, smashed: Rows, truth: Truth, draws: int, seed: int) -> Tensor:
    """How right the tail is about each image, mean over draws [N]."""
    generator, device = seeded(seed), device_of(tail)

    def protected(part: Tensor) -> Tensor:
        answers: Tensor = tail(smash(protection, part.to(device), generator))
        return answers

    share, rows = torch.zeros(len(smashed)), rows_at_once(smashed, draws=True)
    for _ in range(draws):
        share += truth.right(kept_answers(truth.task, protected, smashed, rows))
    return share / draws
