"""How narrow a waist is: channels, stride, and the width of the encoder's first convolution."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ...errors import InputError

#: what the encoder may compute beside its head, so that latency and memory stay within 1.10 of the unprotected head
_MOST_WORK = 0.07
#: what the encoder's deep branch may compute beside it
_MOST_DEEP, _VECTOR = 0.09, 8
#: a branch whose work somebody chose is at most so much wider than the features; else it is as wide
_WIDER = 4
#: codes -LEVEL..LEVEL
LEVEL = 3
#: positions of the waist's longer side, for photos smaller than this side and for others
_LARGE_PHOTO, _FEW, _MANY = 96, 4, 14
#: the same where the answer says something of every place, as a mask does: what a place lost, no decoder brings back
_MANY_PLACES = 16
#: positions of the cut, per side, that one of the waist stands for by default: small, large photos
_ACROSS, _ACROSS_LARGE = 4, 2
#: the same of small photos where the phone's part learns on a short path: at middle cuts 48 channels at one position
#: keep as much of the accuracy as at four, and a quarter of the bytes (benchmarks/privacy/photos)
_ACROSS_SHORT = 8
#: share of the network's work behind the cut below which a tail has little left to understand: few channels say it
_LATE = 0.15
#: bits that a code costs roughly, once training has spread its distribution
_BITS = 2.0
#: few positions with many channels say more in as many bytes than many positions with few (benchmarks/privacy/photos)
_FEWEST, _CHANNELS = 4, 48
#: enough at one position of a late cut, and at several where the phone's part learns on a short path: at an early cut
#: they keep as much of the accuracy as 48 in half the bytes (benchmarks/privacy/photos)
_CHANNELS_FEW = 24
#: large photos have more to say, to a network of more classes: EfficientNet-Lite0 in the middle, with an untrained
#: waist of 7 x 7 positions, agrees with itself on 0.69 of ImageNet photos at 48 channels, 0.81 at 96, 0.90 at 192
_CHANNELS_LARGE = 192
#: a waist is narrow: values of the cut to one of its own, at least
_NARROWER = 4


@dataclass(frozen=True)
class Geometry:
    """The shape of a waist behind features C x H x W.

    Attributes:
        features: (C, H, W) at the cut.
        channels: of the waist.
        stride: positions of the cut, per side, that one position of the waist stands for.
        inner: channels between the encoder's two convolutions; 0: it is one, a linear map.
        deep: channels of the encoder's deep branch; 0: it has none.
        stages: of the deep branch, each at half the last one's side, the second with twice the channels.
    """

    features: tuple[int, int, int]
    channels: int
    stride: int
    inner: int
    deep: int = 0
    stages: int = 1

    @property
    def deep_stride(self) -> int:
        """The deep branch's first stride."""
        return 2 if self.stride % 2 == 0 else 1

    @property
    def window(self) -> int:
        """The side of the patches of the deep branch's maps whose maxima are taken: what is left of the stride."""
        return self.stride // (self.deep_stride << (self.stages - 1))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(c, h, w) of what crosses."""
        _, height, width = self.features
        return self.channels, -(-height // self.stride), -(-width // self.stride)

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros on each side of the features, so that every position is seen: rows, columns."""
        _, height, width = self.features
        _, rows, columns = self.shape
        return -(-(rows * self.stride - height) // 2), -(-(columns * self.stride - width) // 2)

    @property
    def symbols(self) -> int:
        """How many codes a message holds."""
        return math.prod(self.shape)


def of_colour(image: tuple[int, int, int]) -> bool:
    """Whether a network takes colour photos: there a block alone hides little, and by default a waist is trained."""
    return image[0] == 3


def of_places(outputs: Iterable[tuple[int, ...]]) -> bool:
    """Whether a network's answer says something of every place: an output, without the batch axis, is a map."""
    return any(len(shape) > 1 for shape in outputs)


def choose_geometry(
    features: tuple[int, int, int],
    image: tuple[int, int, int],
    head_macs: int,
    *,
    channels: int | None = None,
    stride: int | None = None,
    max_bytes: int | None = None,
    deep: bool | None = False,
    places: bool = False,
    short: bool = False,
    tail_macs: int = 0,
    branch: float | None = None,
) -> Geometry:
    """Fill in what the user left open.

    Args:
        features: (C, H, W) at the cut.
        image: (channels, H, W) of the photo.
        head_macs: of the head without encoder.
        channels: of the waist, or None.
        stride: of the waist, or None.
        max_bytes: most bytes of a message on average; narrows the waist where its codes would need more.
        deep: whether the encoder has a deep branch, as wide as its work allows; None: on the short path, where the
            features leave it something to do and room.
        places: whether the network's answer says something of every place, see `of_places`.
        short: whether the phone's part learns on the short path, see phases.py.
        tail_macs: of the tail, by which the short path tells a late cut.
        branch: most of the deep branch's work, as a share of the head's; None: so little that latency hardly grows.

    Raises:
        InputError: a stride or a number of channels that the features do not have, or no room for a deep branch.
    """
    full, height, width = features
    longest = max(height, width)
    is_large = max(image[1:]) >= _LARGE_PHOTO
    late = tail_macs < _LATE * (head_macs + tail_macs) if short else longest < 2 * _ACROSS
    if stride is None:
        most, across = (_MANY, _ACROSS_LARGE) if is_large else (_FEW, _ACROSS_SHORT if short else _ACROSS)
        positions = min(longest, _MANY_PLACES) if places else min(max(longest // across, 1), most)
        stride = -(-longest // positions)
    if not 1 <= stride <= longest:
        raise InputError(f"--stride {stride} does not fit features of {height}x{width}; give 1 to {longest}.")
    if channels is None:
        positions = -(-height // stride) * -(-width // stride)
        few = late if positions == 1 else short
        channels = _CHANNELS_FEW if few else _CHANNELS
        if is_large:
            channels = _directions(full * stride**2, positions, int(_MOST_WORK * head_macs))
        channels = min(channels, max(full * stride**2 // (_NARROWER if not is_large else 2), _FEWEST))
        if max_bytes is not None:
            channels = min(channels, max(round(8 * max_bytes / (_BITS * positions)), _FEWEST))
    most = max(full * stride**2, _FEWEST)
    if not 1 <= channels <= most:
        raise InputError(
            f"--channels {channels} does not fit: one position of this waist stands for {full * stride**2} values, and "
            f"more are no waist; give 1 to {most}."
        )
    work = int((_MOST_DEEP if branch is None else branch) * head_macs)
    if deep is None:
        room = _widest_branch(Geometry(features, channels, stride, 0), work) >= _VECTOR
        deep = short and not late and room
    macs_per_inner = (full * stride * stride + channels) * -(-height // stride) * -(-width // stride)
    inner = min(max(full, 2 * channels), max(8, int(_MOST_WORK * head_macs / macs_per_inner)))
    # what bends is a deep branch's task; and of a large photo more directions say more than the bend between them
    geometry = Geometry(features, channels, stride, 0 if deep or is_large else inner)
    if not deep:
        return geometry
    two = replace(geometry, stages=2)
    if branch is not None and geometry.window % 2 == 0 and _widest_branch(two, work) >= _VECTOR:
        geometry = two
    wider = 1 if branch is None else _WIDER
    return replace(geometry, deep=_deep_channels(geometry, work, head_macs, wider))


def _deep_channels(geometry: Geometry, macs: int, head_macs: int, wider: int) -> int:
    """How wide the deep branch is.

    Raises:
        InputError: not even one vector of channels.
    """
    full, height, width = geometry.features
    widest = _widest_branch(geometry, macs)
    if widest < _VECTOR:
        raise InputError(
            f"--encoder deep does not fit: {_VECTOR} channels at {full}x{height}x{width} are more than "
            f"{macs / head_macs:.0%} of this head's work; cut later, allow more with --encoder-work, or take --encoder "
            "flat."
        )
    # whole vectors of eight are what phones' kernels compute at once
    most = max(wider * full, _VECTOR)
    return min(widest - widest % _VECTOR, most - most % _VECTOR)


def _widest_branch(geometry: Geometry, macs: int) -> int:
    """How wide the 3x3 convolutions may be, n channels: positions * 9 * (C n + n^2) within the work.

    A second stage adds (2 n^2 + 4 n^2) / 4: a quarter of the positions, twice the channels.
    """
    full, height, width = geometry.features
    positions = -(-height // geometry.deep_stride) * -(-width // geometry.deep_stride)
    square = 1.0 if geometry.stages == 1 else 2.5
    return int((math.sqrt(full**2 + 4 * square * macs / (9 * positions)) - full) / (2 * square))


def _directions(values: int, positions: int, macs: int) -> int:
    """How many directions of patches of so many values a linear map can find within the work.

    In whole vectors: behind EfficientNet-Lite0's first fifth 96 channels cost less time than 70 (1.05 and 1.11 of the
    head's, benchmarks/privacy/photos).
    """
    found = macs // (values * positions)
    return min(max(found - found % _VECTOR, _FEWEST), _CHANNELS_LARGE)
