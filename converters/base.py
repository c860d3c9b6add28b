"""What a converter is given, what it leaves behind, and how its file runs here.

Notation: B batch, C channels, H x W image pixels, h x w positions of the smashed features.
Every converter file imports its heavy package inside functions only, so that listing and
choosing targets costs nothing. This folder knows neither `toolkit` nor `cloud_tail`.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ._operators import Operator as Operator
from ._operators import Value as Value
from ._phone import PhoneRunner as PhoneRunner
from ._phone import Printed as Printed
from ._phone import Summary as Summary
from ._tensors import TensorSpec as TensorSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from torch import Tensor, nn

    Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


class ConverterError(Exception):
    """A conversion that cannot be done, or a file that does not run: one sentence, with what to do."""


@dataclass(frozen=True)
class HeadProgram:
    """The protected head, as modules in eval mode, with what a converter needs to know of the data.

    Attributes:
        backbone: image [B,C,H,W] -> smashed features [B,c,h,w].
        block: (smashed, eps) -> smashed of the same shape, or smashed -> smashed where ``eps`` is
            None; None where nothing follows the backbone.
        image: one real preprocessed image [1,C,H,W], float32.
        eps: standard-normal noise [1,...], float32, or None where the block takes none.
        calibration: real preprocessed images, each [1,C,H,W]; used by int8 only.
        wire: how the head hands its features out: None for float32, else uint8 with `scale` and `zero_point`, and
            the head's output is the codes that cross the wire.
    """

    backbone: nn.Module
    block: nn.Module | None
    image: Tensor
    eps: Tensor | None = None
    calibration: Sequence[Tensor] = ()
    wire: TensorSpec | None = None

    def module(self) -> nn.Module:
        """Backbone, block and codes as one module: forward(image) or forward(image, eps)."""
        from ._codes import Codes
        from ._compose import Head

        return Head(self.backbone, self.block, None if self.wire is None else Codes(self.wire)).eval()

    def example(self) -> tuple[Tensor, ...]:
        """Positional example inputs of `module`, batch 1."""
        return (self.image,) if self.eps is None else (self.image, self.eps)


@dataclass(frozen=True)
class Conversion:
    """What one conversion wrote.

    Attributes:
        entry: path of the file (or .mlpackage folder) that a runtime opens, relative to the output folder.
        inputs, outputs: in the order in which the file itself lists them; look them up by name.
        ops_delegated, ops_total: operators taken by the accelerator backend, and all of them; None
            where the format has no delegation.
        tools: package versions that made the file.
        not_run: why this file cannot be executed on this machine, or None.
    """

    entry: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops_delegated: int | None
    ops_total: int | None
    tools: Mapping[str, str] = field(default_factory=dict)
    not_run: str | None = None


@dataclass(frozen=True)
class Traced:
    """One operator of a converted file, as its runtime executed it once.

    Attributes:
        operator: what the file calls it, such as ``CONV_2D``.
        inputs: names of the values that it reads.
        outputs: name -> its result, float32, where the runtime gives it; None where it does not.
        kind: how torch calls what it computes, such as "conv"; needed where results carry no names.
        moves: whether it only moves or recodes values; where they go wrong, the next operator shows it.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: Mapping[str, Array | None]
    kind: str = ""
    moves: bool = False


@dataclass(frozen=True)
class Steps:
    """What a converted head computes on its way.

    Attributes:
        smashed: its answer [1,c,h,w].
        results: an operator's name in the exported head -> its result, flattened; what is computed together stands
            under the last operator's name.
        operators: names of all operators of the file, those computed together included, in their order; of each, what
            it reads.
    """

    smashed: Array
    results: Mapping[str, Array]
    operators: Mapping[str, Sequence[str]]


class Runner(ABC):
    """A converted head, opened by its real runtime on this machine."""

    #: False only for a stand-in that evaluates the file without its vendor's runtime.
    is_real_runtime: ClassVar[bool] = True
    #: what reports call the runtime where the target's name is not clear enough
    title: ClassVar[str] = ""

    @abstractmethod
    def run(self, inputs: Mapping[str, Array]) -> Array:
        """Execute once.

        Args:
            inputs: ``image`` [1,C,H,W] and, for a head with noise, ``eps`` [1,...], float32.

        Returns:
            The smashed features [1,c,h,w], or their codes where the head was converted with a `wire`.
        """


class Converter(ABC):
    """One export target. The file `to_<name>.py` registers it, or an entry point `pripro.converters` elsewhere."""

    name: ClassVar[str]
    #: what ``pip install 'pripro-toolkit[...]'`` brings it; None: its packages are installed by their own names
    extra: ClassVar[str | None] = None
    precisions: ClassVar[tuple[str, ...]]
    #: the one among them that is made where nobody names targets; None: this target is made only when it is named
    default_precision: ClassVar[str | None] = None
    #: first is the default
    backends: ClassVar[tuple[str, ...]]
    #: what conversion needs: import name -> distribution
    packages: ClassVar[Mapping[str, str]]
    #: the distribution among them whose version is the runtime's
    runtime: ClassVar[str]
    #: whether the results that `trace` gives carry the names of the exported graph's nodes
    keeps_names: ClassVar[bool] = False
    #: a demo app, "android" or "ios" -> backends whose files its own runtimes load
    apps: ClassVar[Mapping[str, Collection[str]]] = {}
    #: an emulated system, "arm64" or "tflite-runtime" -> what runs files there: "python" for `load` of this class
    #: or the system's own interpreter, else a program of the system that reads and gives float32 only
    emulated: ClassVar[Mapping[str, str]] = {}

    def missing(self) -> str | None:
        """Name the first package that conversion lacks on this machine, or None. Imports nothing."""
        return next((name for module, name in self.packages.items() if importlib.util.find_spec(module) is None), None)

    def requirement(self) -> str:
        """What to tell pip to install for this target."""
        return f"'pripro-toolkit[{self.extra}]'" if self.extra else " ".join(self.packages.values())

    @abstractmethod
    def convert(self, head: HeadProgram, out: Path, *, precision: str, backend: str) -> Conversion:
        """Write the converted head into the existing empty folder `out`.

        Raises:
            ConverterError: the head cannot be expressed in this format.
        """

    @abstractmethod
    def cannot_run(self, backend: str) -> str | None:
        """Say why files of this backend cannot be executed on this machine, or None."""

    @abstractmethod
    def load(self, entry: Path, *, threads: int = 1) -> Runner:
        """Open a converted file on its runtime, with that many intra-op threads."""

    def steps(self, head: HeadProgram, inputs: Mapping[str, Array], *, precision: str, backend: str) -> Steps | None:
        """Convert a head once more and run it with every operator's result handed out.

        Returns:
            None where this format's files show their results themselves.

        Raises:
            ConverterError: the head cannot be expressed so.
        """
        return None

    def trace(self, entry: Path, inputs: Mapping[str, Array]) -> Sequence[Traced] | None:
        """Execute a file once and hand out what its operators computed; None where the format hides it.

        Args:
            entry: as `load` takes it.
            inputs: as `Runner.run` takes them.
        """
        return None

    def operators(self, entry: Path) -> Sequence[Operator] | None:
        """List a converted file's operators with types and shapes; nothing is executed. None: the format hides them.

        Raises:
            ConverterError: not a file of this format, or a damaged one.
        """
        return None

    def refused(self, entry: Path, accelerator: str) -> Mapping[int, str] | None:
        """Ask the vendor's own checker which operators an accelerator leaves to plain CPU kernels.

        Args:
            entry: as `load` takes it.
            accelerator: such as "gpu".

        Returns:
            Position in `operators` -> why; None where no such checker runs here.
        """
        return None

    def partitioned(self, head: HeadProgram, *, precision: str, backend: str) -> Sequence[Operator] | None:
        """Let a backend's partitioner divide a head anew, without writing a file; None where formats have none.

        Raises:
            ConverterError: the head cannot be expressed so.
        """
        return None

    def profile(self, entry: Path, inputs: Mapping[str, Array], runs: int) -> Mapping[str, tuple[int, float]] | None:
        """Ask the runtime's own profiler where one run's time goes, on one thread.

        Returns:
            Operator -> (calls, milliseconds); None where the runtime has no profiler that opens here.
        """
        return None

    def phone_runner(self) -> PhoneRunner | None:
        """Name the vendor's program that times files on a phone; None where there is none."""
        return None

    def stand_in(self, entry: Path) -> Runner | None:
        """Open a converted file on what replaces its vendor's runtime elsewhere; None where nothing does."""
        return None
