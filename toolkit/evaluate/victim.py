"""The victim: a protected split network as an attacker meets it.

Notation: N images, channels x H x W; crossing tensors C x h x w; n messages (looks) of one photo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cloud_tail.signature import TensorSpec
from cloud_tail.wire import dequantise, quantise

from ..attacks.base import Messages
from ..tasks._truth import Truth
from ..tasks.base import Answers, Task, collect
from ..tasks.classify import Classify
from .features import FeatureStore, Tensors, as_tuple
from .metrics.interval import Interval
from .metrics.pa import pa, pa_per_input
from .noise import Fresh, NoiseSource

if TYPE_CHECKING:
    from ..protections.base import Protection

#: about this many feature values are noised at a time
_CHUNK = 8_000_000


@dataclass(frozen=True)
class UserSide:
    """What the protection costs the user, on the test images.

    Attributes:
        unprotected: accuracy of the network before protection.
        protected: accuracy after, mean over draws.
        pa: their ratio.
        per_input: [N] share of draws that the tail gets right.
        answers: [N] the tail's answer in the first draw: what anyone knows who sees the user's answer.
        message_bytes: [N] length of the messages of the first draw.
        pa_interval: of `pa`, 95 %; None where nobody asked which photos the unprotected network gets right.
    """

    unprotected: float
    protected: float
    pa: float
    per_input: Tensor
    answers: Tensor
    message_bytes: Tensor
    pa_interval: Interval | None = None


class Victim:
    """Head, protection and tail. The head is deterministic, so what differs between two looks is eps alone.

    With `codes`, tail and attackers see what those affine codes leave of the features. `length` is the number of
    bytes [B] of the messages that carry crossing tensors; default: their size as float32, or as codes. `soft` is the
    protection without the rounding that a waist ends with, for those who need its gradient.
    """

    def __init__(
        self,
        head: nn.Module,
        tail: nn.Module,
        protection: Protection,
        codes: TensorSpec | None = None,
        *,
        noise: NoiseSource | None = None,
        length: Callable[[Tensors], Tensor] | None = None,
        soft: Protection | None = None,
        grid: tuple[int, int] | None = None,
        prefix_tokens: int = 0,
    ) -> None:
        self.head = head
        self.tail = tail
        self.protection = protection
        self._codes = codes
        self._noise = noise or Fresh()
        self._length = length
        self.soft = soft or protection
        self._grid, self._prefix = grid, prefix_tokens
        self._store = FeatureStore(head)

    def smashed(self, images: Tensor) -> Tensors:
        """Unprotected features [N,...] of images [N,channels,H,W]; kept."""
        return self._store.of(images)

    @property
    def features(self) -> FeatureStore:
        """Where they are kept."""
        return self._store

    @property
    def is_random(self) -> bool:
        """Whether noise is drawn at all."""
        return self.protection.eps_shape() is not None

    @torch.no_grad()
    def messages(self, images: Tensor, index: Tensor, looks: int, generator: torch.Generator) -> Messages:
        """What crosses for photos `index` [B] of a set whose features are kept, `looks` times each."""
        return self._send(tuple(one[index] for one in self.smashed(images)), looks, generator)

    @torch.no_grad()
    def messages_of(self, variants: Tensor, generator: torch.Generator) -> Messages:
        """One message each of n versions of each photo, variants [B,n,channels,H,W]: independent noise each."""
        batch, count = variants.shape[:2]
        sent = self._send(as_tuple(self.head(variants.flatten(0, 1))), 1, generator)
        return Messages(
            tuple(one.reshape(batch, count, *one.shape[2:]) for one in sent.tensors),
            sent.bytes.reshape(batch, count),
            tuple(one.unflatten(0, (batch, count))[:, 0] for one in sent.guess),
        )

    def rows_for(self, looks: int) -> int:
        """How many photos' messages fit into memory at a time."""
        return max(self._rows() // looks, 1)

    def white_box(self, images: Tensor, eps: Tensors) -> Tensors:
        """Photos -> crossing tensors [B,C,h,w], differentiable, at that eps; at eps = 0 where none is given."""
        smashed = as_tuple(self.head(images))
        shape = self.protection.eps_shape()
        if shape is not None and not eps:
            eps = (torch.zeros(len(images), *shape),)
        return self._laid_out(as_tuple(self.soft(*smashed, *eps)))

    def user_side(self, images: Tensor, truth: Tensor | Truth, unprotected: float, draws: int, seed: int) -> UserSide:
        """Measure the user's accuracy.

        Args:
            images: test images [N,channels,H,W].
            truth: class labels [N], or whatever else says what is right.
            unprotected: accuracy of the network with its original head on them.
            draws: draws of eps per image.
            seed: seeds them.
        """
        generator = torch.Generator().manual_seed(seed)
        told = truth if isinstance(truth, Truth) else Truth(Classify(), truth, ())
        kept, lengths = zip(
            *(self._answers(images, told.task, generator) for _ in range(draws if self.is_random else 1)), strict=True
        )
        per_input = pa_per_input(torch.stack([told.right(answers) for answers in kept], 1))
        protected = per_input.mean().item()
        # answers that are not classes reveal no class: all photos count as one
        answers = kept[0][0] if isinstance(told.task, Classify) else torch.zeros(len(images), dtype=torch.int64)
        return UserSide(unprotected, protected, pa(unprotected, protected), per_input, answers, lengths[0])

    @torch.no_grad()
    def _answers(self, images: Tensor, task: Task, generator: torch.Generator) -> tuple[Answers, Tensor]:
        """What is kept of the tail's answers to N images, and the messages' lengths [N]."""
        answers, lengths = [], []
        for rows in torch.arange(len(images)).split(min(self._rows(), 256)):
            sent = self._protect(tuple(one[rows] for one in self.smashed(images)), 1, generator)[0]
            answers.append(task.keep(task.answers(self.tail(*sent))))
            lengths.append(self._bytes(sent))
        return collect(answers), torch.cat(lengths)

    def _send(self, smashed: Tensors, looks: int, generator: torch.Generator) -> Messages:
        sent, guess = self._protect(smashed, looks, generator)
        batch = len(smashed[0])
        lengths = self._bytes(sent).unflatten(0, (batch, looks))
        laid = tuple(one.unflatten(0, (batch, looks)) for one in self._laid_out(sent))
        return Messages(laid, lengths, guess)

    def _protect(self, smashed: Tensors, looks: int, generator: torch.Generator) -> tuple[Tensors, Tensors]:
        """Protected tensors [B*n,...] as the server reads them, and what another phone's noise would be."""
        shape = self.protection.eps_shape()
        if shape is None:
            made = as_tuple(self.protection(*smashed))
            return tuple(one.repeat_interleave(looks, 0) for one in self._as_read(made)), ()
        eps, guess = self._noise.draw(len(smashed[0]), looks, shape, generator)
        repeated = tuple(one.repeat_interleave(looks, 0) for one in smashed)
        return self._as_read(as_tuple(self.protection(*repeated, eps.flatten(0, 1)))), (guess,)

    def _as_read(self, made: Tensors) -> Tensors:
        if self._codes is None:
            return made
        codes = self._codes
        return tuple(torch.from_numpy(dequantise(quantise(one.numpy(), codes), codes)) for one in made)

    def _bytes(self, sent: Tensors) -> Tensor:
        if self._length is not None:
            return self._length(sent)
        each = sum(one[0].numel() for one in sent) * (4 if self._codes is None else 1)
        return torch.full((len(sent[0]),), float(each))

    def _laid_out(self, tensors: Tensors) -> Tensors:
        """Every tensor as [B,C,h,w]: tokens on their grid, class tokens and vectors as single positions."""
        found: list[Tensor] = []
        for one in tensors:
            if one.ndim == 4 and self._is_column(one):  # tokens [B,C,N,1]
                found.append(one[:, :, self._prefix :, 0].unflatten(2, self._grid or (-1, 1)))
                if self._prefix:
                    found.append(one[:, :, : self._prefix, 0].flatten(1)[:, :, None, None])
            elif one.ndim == 4:
                found.append(one)
            elif one.ndim == 2:
                found.append(one[:, :, None, None])
            else:
                first, rest = one[:, : self._prefix], one[:, self._prefix :]
                height, across = self._grid or (rest.shape[1], 1)
                found.append(rest.transpose(1, 2).unflatten(2, (height, across)))
                if self._prefix:
                    found.append(first.flatten(1)[:, :, None, None])
        return tuple(found)

    def _is_column(self, one: Tensor) -> bool:
        if self._grid is None:
            return False
        return tuple(one.shape[2:]) == (self._prefix + self._grid[0] * self._grid[1], 1) and self._grid[1] > 1

    def _rows(self) -> int:
        values = 1
        for side in self.protection.features:
            values *= side
        return max(_CHUNK // values, 1)
