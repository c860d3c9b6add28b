"""Train a waist by distillation: the unprotected network's answers are the target, labels are not needed.

Loss of one batch, all of it in [ours] proportions:

    KL(unprotected || protected) + w * (rate + hidden) / 100 + r * rate / 100 + beyond / 10

- KL: knowledge distillation, Hinton et al. 2015, arXiv 1503.02531; the teacher is the very network that is cut. Of its
  answer all scores are the target, or the class alone: scores tell photos of a class apart, so whoever wants them
  finds the photo again (benchmarks/privacy/photos/README.md).
- rate: bits of the message, see symbols.py.
- hidden: the method's own privacy term, see `Protection.hidden`; for an adversarial method minus the error of an
  opponent that is trained at the same time.
- beyond: how far z, and z with noise, lie outside the codes, squared. Without it, a fine-tuning of many epochs runs
  away: z, or a mu that follows z, grows to drown the noise, all codes become extreme, and accuracy does not come back
  (benchmarks/privacy/photos/README.md).
- w follows the user's accuracy on validation photos, r the allowed bytes, see steering.py.

Started at the best linear waist (start.py), without noise; noise, rate and privacy come in between 5 % and 30 % of
the steps. With `all`, head and tail are fine-tuned from the trained weights; normalisation statistics stay as they
were exported. With many photos that goes in two phases: phases.py. Where too few photos make it worse than it began,
and than the user allows, the start is kept.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from ...inference import in_batches, seeded
from ...protections import _training
from ...protections._devices import ALONE, Devices
from ...protections._together import gathered, with_shared_norms
from ...protections.base import Sent
from ...tasks._truth import Truth
from .decoder import Decoder
from .encoder import SPREAD, TrainingEncoder
from .geometry import LEVEL
from .modules import Waist
from .opponent import Opponent
from .phases import Learner, Phase, ShortPath, phases_of
from .start import MIXTURES, linear_waist, slopes_of
from .steering import Steering
from .symbols import Symbols
from .views import Seen, Views

if TYPE_CHECKING:
    from ...datasets._data import Part
    from ...partition.split import Split
    from ...protections.base import Protection
    from .geometry import Geometry

_NOISE_FROM, _NOISE_WHOLE = 0.05, 0.30
_LOOK_EVERY, _CHECKPOINT_SECONDS = 10, 60.0
_CLIP = 5.0
#: scores multiplied by it leave one class
_SHARPEN = 20.0
_BEYOND = 0.1
#: weight of an opponent's error, relative to a bit
_OPPONENT_BITS = 100.0
#: photos that the linear start is found on
_MEASURED, _MEASURED_BYTES = 1000, 1 << 29


@dataclass
class WaistTraining:
    """What a waist is trained with.

    Attributes:
        halves: the cut network; stays as it is.
        geometry: of the waist.
        protection: built for the waist's shape; trained in place.
        train: "waist": encoder, decoder and protection; "all": head and tail too.
        options: of the method, those that the user named.
        photos: victim-train; labels are not looked at.
        watched: victim-val images [N,C,H,W].
        truth: what is right about `watched`.
        max_drop: of the accuracy, a share of all photos.
        answer: "scores": every class's score is the target; "class": the class alone.
        max_bits: of a message on average, or None.
        short: whether the phone's part learns first, on a short path, see phases.py; with "all" only.
        epochs, batch_size, seed: of the training.
        progress: called with (steps done, steps in all, one line of text).
        checkpoint: called with a resumable state now and then.
        resume_from: the state that `checkpoint` was last given, or None.
        tell: called with one sentence where the start is kept.
        devices: where the arithmetic happens; what comes back is on the CPU.
    """

    halves: Split
    geometry: Geometry
    protection: Protection
    train: Literal["waist", "all"]
    options: dict[str, float]
    photos: Part
    watched: Tensor
    truth: Truth
    max_drop: float
    answer: Literal["scores", "class"] = "scores"
    max_bits: float | None = None
    short: bool = False
    epochs: int = 16
    batch_size: int = 64
    seed: int = 0
    progress: Callable[[int, int, str], None] = lambda done, total, text: None
    checkpoint: Callable[[dict[str, object]], None] = lambda state: None
    resume_from: dict[str, object] | None = None
    tell: Callable[[str], None] = lambda text: None
    devices: Devices = ALONE


@dataclass(frozen=True)
class Trained:
    """The outcome, in eval mode.

    Attributes:
        waist: encoder (normalisation folded in) and decoder.
        head, tail: copies of their own where they were fine-tuned, else the given ones.
        at_start: whether the linear start was kept.
    """

    waist: Waist
    head: nn.Module
    tail: nn.Module
    at_start: bool = False


def train_waist(training: WaistTraining) -> Trained:
    """Train, and leave the protection at strength 1."""
    return _Run(training).run()


@dataclass
class _Run:
    """A training under way."""

    wanted: WaistTraining
    modules: dict[str, nn.Module] = field(init=False)
    generator: torch.Generator = field(init=False)

    def __post_init__(self) -> None:
        wanted, geometry = self.wanted, self.wanted.geometry
        self.generator = seeded(wanted.seed)
        self.tuned = wanted.train == "all"
        halves, self.devices = wanted.halves, wanted.devices
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(wanted.seed)
            self.encoder, self.decoder = TrainingEncoder(geometry), Decoder(geometry)
            self.symbols = Symbols(geometry.channels)
            opponent = wanted.protection.opponent(halves.image)
        _training.reinitialise(wanted.protection, wanted.seed)
        wanted.protection.settle(wanted.options, self.generator)
        answers = self._begin_linear(halves)
        self.phases = phases_of(wanted.epochs, short=wanted.short and self.tuned)
        self.phase, self.short = self.phases[0], None
        if len(self.phases) > 1:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(wanted.seed)
                self.short = ShortPath(geometry.shape, answers)
        self.truth, self.task = wanted.truth, halves.task
        self.before = self.truth.unprotected
        self.batches = max(len(wanted.photos) // wanted.batch_size, 1)
        looks = self.phases[0].epochs * self.batches // _LOOK_EVERY
        self.steering = Steering(wanted.max_drop, wanted.max_bits, len(self.before), looks, geometry.symbols)
        head, tail = (copy.deepcopy(half).to(self.devices.device) for half in (halves.head, halves.tail))
        fresh = self.short is not None
        self.views = Views(head, tail, halves.cut.shape, wanted.photos, wanted.seed, self.devices, fresh=fresh)
        self.head, self.tail = (copy.deepcopy(half) if self.tuned else half for half in (head, tail))
        # a frozen head gives the same features every time
        self.watched = wanted.watched if self.tuned else in_batches(halves.head, wanted.watched)
        self.modules = {
            "encoder": self.encoder, "decoder": self.decoder, "symbols": self.symbols, "noise": wanted.protection,
            "steering": self.steering,
        }  # fmt: skip
        if self.tuned:
            self.modules |= {"head": self.head, "tail": self.tail}
        if self.short is not None:
            self.modules["short"] = self.short
        if opponent is not None:
            self.modules["opponent"] = opponent
        for name, module in self.modules.items():
            with_shared_norms(module, self.devices)
            self.devices.align(module if name == "steering" else module.to(self.devices.device))
        self.rival = None if opponent is None else Opponent(opponent, self.devices)
        self.start = self._weights()

    @torch.no_grad()
    def _begin_linear(self, halves: Split) -> int:
        """Start encoder and decoder at the best linear waist; returns how many values an answer has."""
        each = 4 * math.prod(halves.cut.shape) * MIXTURES
        images = self.wanted.photos.photos[: max(min(_MEASURED, _MEASURED_BYTES // each), 64)]
        features = in_batches(halves.head, images)
        slopes = slopes_of(halves.tail, features, self.wanted.seed, halves.task)
        linear = linear_waist(features, slopes, self.wanted.geometry, self.wanted.seed)
        self.encoder.start_from(linear)
        self.encoder.measure(features)
        self.decoder.start_from(features, linear, SPREAD)
        return int(halves.tail(features[:1]).shape[1])

    def run(self) -> Trained:
        wanted, batches = self.wanted, self.batches
        total = wanted.epochs * batches
        learners = self._learners()
        first = self._resumed()
        began, saved = time.monotonic(), time.monotonic()
        # fine-tuning needs gradients of weights that `split` froze
        open_ = [*self.head.parameters(), *self.tail.parameters()] if self.tuned else []
        for parameter in open_:
            parameter.requires_grad_(True)
        for epoch in range(first // batches, wanted.epochs):
            learner = next(one for one in reversed(learners) if one.phase.first <= epoch)
            self.phase = phase = learner.phase
            order = torch.randperm(len(wanted.photos), generator=seeded(wanted.seed + 7919 * (epoch + 1)))
            parts = order.split(wanted.batch_size)[:batches]
            skipped = max(first - epoch * batches, 0)
            own = [self.devices.own(index) for index in parts[skipped:]]
            for number, seen in enumerate(self.views.batches(epoch, own, mixed=epoch in phase.mixed), skipped):
                step = epoch * batches + number
                # behind the first phase noise stays whole and nothing is steered any more
                done = min(step / (self.phases[0].epochs * batches), 1.0)
                self._step(seen, parts[number], done, learner)
                if step % _LOOK_EVERY == _LOOK_EVERY - 1:
                    self.steering.look(self.before, self._right, done)
                left = (time.monotonic() - began) / (step + 1 - first) * (total - step - 1)
                wanted.progress(step + 1, total, self._line(left))
                if self.devices.first and (time.monotonic() - saved > _CHECKPOINT_SECONDS or number == batches - 1):
                    wanted.checkpoint(self._state(step + 1))
                    saved = time.monotonic()
        for parameter in open_:
            parameter.requires_grad_(False)
        wanted.protection.set_strength(1.0)
        self.phase = Phase("whole", 0, 0)  # what is judged is what will be served
        at_start = self._start_was_better()
        for module in (self.head, self.tail, *self.modules.values()):
            module.cpu().eval().requires_grad_(False)
        waist = Waist(wanted.geometry, self.encoder.folded().requires_grad_(False), self.decoder)
        return Trained(waist, self.head, self.tail, at_start)

    def _learners(self) -> list[Learner]:
        found = [Learner(phase, self.modules, phase.epochs * self.batches) for phase in self.phases]
        self.optimisers: dict[str, torch.optim.Optimizer | torch.optim.lr_scheduler.LRScheduler] = {}
        for learner in found:
            self.optimisers |= learner.parts
        if self.rival is not None:
            self.optimisers["opponent"] = self.rival.adam
        return found

    def _step(self, seen: Seen, batch: Tensor, done: float, learner: Learner) -> None:
        """Learn from this process's photos of a batch [B], `done` of the training."""
        loss, bits = self._loss(seen, batch, done)
        learner.adam.zero_grad()
        loss.backward()
        self.devices.average_gradients(learner.learning)
        nn.utils.clip_grad_norm_(learner.clipped, _CLIP)
        learner.adam.step()
        learner.schedule.step()
        self.steering.count_bits(self.devices.mean(bits.item()), done)

    def _loss(self, seen: Seen, batch: Tensor, done: float) -> tuple[Tensor, Tensor]:
        """This process's part of the loss and of a message's bits; the means over processes are the batch's."""
        protection, count, own = self.wanted.protection, len(batch), self.devices.weight(batch)
        learns = self.phase.learns
        self.encoder.train(learns != "server")
        self.decoder.train(learns != "phone")
        if self.short is not None:
            self.short.train(learns == "phone")
        share = min(max((done - _NOISE_FROM) / (_NOISE_WHOLE - _NOISE_FROM), 0.0), 1.0)
        protection.set_strength(max(share, 1e-3))
        with torch.set_grad_enabled(learns != "server"):
            z = self._encoded(seen.images if self.tuned else seen.features)
            noisy = self._noisy(z, count)
            codes, lengths = self.symbols(noisy)
        told = seen.answers if self.wanted.answer == "scores" else _SHARPEN * seen.answers
        answers, wanted = (self.task.answers(each) for each in (self._answered(codes), told))
        bits = own * lengths.mean()
        loss = own * self.task.loss(answers, wanted)
        if learns == "server":
            return loss, bits
        beyond = _beyond_codes(z) + _beyond_codes(noisy)
        weight, extra = self.steering.weight.item(), self.steering.extra_rate.item()
        private = weight * (bits + self._private(seen, z, codes, count))
        return loss + own * _BEYOND * beyond + share * (private + extra * bits) / 100, bits.detach()

    def _encoded(self, given: Tensor) -> Tensor:
        """Map images, or features of a frozen head, to z; noise and codes are never computed in half precision."""
        with self.devices.autocast():
            z: Tensor = self.encoder(self.head(given) if self.tuned else given)
        return z.float().contiguous()

    def _answered(self, codes: Tensor) -> Tensor:
        """What is said of codes: by decoder and tail, or on the short path while these do not learn."""
        with self.devices.autocast():
            if self.short is not None and self.phase.learns == "phone":
                answers: Tensor = self.short(codes)
            else:
                answers = self.tail(self.decoder(codes))
        return answers.float()

    def _private(self, seen: Seen, z: Tensor, codes: Tensor, count: int) -> Tensor:
        """The terms that are statistics over the whole batch: the method's own, and an opponent's error."""
        images, answers, smashed, sent = (
            gathered(part, count, self.devices) for part in (seen.images, seen.answers, z, codes)
        )
        known = self.task.groups(self.task.keep(self.task.answers(answers)))
        hidden = self.wanted.protection.hidden(Sent(images, smashed, sent, *known))
        private = torch.zeros((), device=z.device) if hidden is None else hidden
        if self.rival is not None:
            private = private - _OPPONENT_BITS * self.rival.error(codes, seen.images, images.var(), count)
        return private

    def _noisy(self, z: Tensor, count: int) -> Tensor:
        """Protect this process's part of `count` photos; every process draws the noise of them all."""
        protection = self.wanted.protection
        eps = protection.draw_eps(count, self.generator)
        own = () if eps is None else ((self.devices.own(eps) if len(z) < count else eps).to(z.device),)
        noisy: Tensor = protection(z, *own)
        return noisy

    def _start_was_better(self) -> bool:
        """Go back to the linear start, with noise, where training has lost more than is allowed and than that loses."""
        ended, before = self._accuracy(), self.before.mean().item()
        if ended >= before - self.wanted.max_drop:
            return False
        trained = self._weights()
        self._take(self.start)
        began = self._accuracy()
        if began <= ended:
            self._take(trained)
            return False
        self.wanted.tell(
            f"Training on {len(self.wanted.photos)} photos ended at an accuracy of {ended:.1%}; the linear waist it "
            f"began with has {began:.1%} and is kept. More photos would train it."
        )
        return True

    def _weights(self) -> dict[str, dict[str, Tensor]]:
        return {name: copy.deepcopy(module.state_dict()) for name, module in self.modules.items()}

    def _take(self, weights: dict[str, dict[str, Tensor]]) -> None:
        for name, module in self.modules.items():
            module.load_state_dict(weights[name])
        self.wanted.protection.set_strength(1.0)

    def _accuracy(self) -> float:
        parts = torch.arange(len(self.before)).split(self.wanted.batch_size)
        return torch.cat([self._right(part) for part in parts]).float().mean().item()

    @torch.no_grad()
    def _right(self, index: Tensor) -> Tensor:
        for module in (self.encoder, self.decoder, *([] if self.short is None else [self.short])):
            module.eval()
        photos = self.watched[index].to(self.devices.device)
        z = self._encoded(photos)
        codes, _ = self.symbols(self._noisy(z, len(z)))
        kept = self.task.keep(self.task.answers(self._answered(codes)))
        return self.truth.rows(index).right(tuple(each.cpu() for each in kept))

    def _line(self, left: float) -> str:
        steering, before = self.steering, self.before.mean().item()
        kept = "" if not steering.accuracy else f"accuracy {steering.accuracy.item():.1%} of {before:.1%}, "
        size = steering.bits.item() / 8
        return f"{kept}{size:.0f} bytes, {left / 60:.0f} min left" if left > 90 else f"{kept}{size:.0f} bytes"

    def _state(self, step: int) -> dict[str, object]:
        return {
            "step": step,
            "finished": step == self.wanted.epochs * self.batches,
            "modules": self._weights(),
            "optimisers": {name: copy.deepcopy(each.state_dict()) for name, each in self.optimisers.items()},
            "generator": self.generator.get_state(),
        }

    def _resumed(self) -> int:
        state = self.wanted.resume_from
        if state is None:
            return 0
        weights, moments, position, step = (state[key] for key in ("modules", "optimisers", "generator", "step"))
        if not (isinstance(weights, dict) and isinstance(moments, dict) and isinstance(step, int)):
            raise TypeError("resume_from must be what checkpoint was given")
        for name, module in self.modules.items():
            module.load_state_dict(weights[name])
        for name, each in self.optimisers.items():
            each.load_state_dict(copy.deepcopy(moments[name]))
        if isinstance(position, Tensor):
            self.generator.set_state(position)
        return step


def _beyond_codes(values: Tensor) -> Tensor:
    """Mean square of what lies further out than the last code reaches."""
    return (values.abs() - LEVEL - 0.5).clamp(min=0).square().mean()
