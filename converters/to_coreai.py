"""Core AI: an .aimodel head for Apple's runtime of iOS 27 and macOS 27, which also runs on Linux."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import tempfile
import weakref
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ._heads import (
    SMASHED,
    check_choice,
    check_feed,
    converting,
    describe,
    exported,
    input_names,
    reading,
    running,
    versions,
)
from ._quiet import quiet
from .base import Conversion, Converter, ConverterError, HeadProgram, Operator, Runner, Steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch.export import ExportedProgram

    from .base import Array

_FUNCTION = "main"


class CoreaiRunner(Runner):
    """An .aimodel head in the Core AI runtime that Apple's package brings; it chooses its threads itself."""

    title = f"Core AI runtime on {'macOS' if sys.platform == 'darwin' else 'Linux'}"

    def __init__(self, entry: Path) -> None:
        _check_whole(entry)
        self._entry = entry
        self._loop = asyncio.new_event_loop()
        opened = AsyncExitStack()
        try:
            with quiet():
                from coreai.authoring import AIModelAsset

                model = self._loop.run_until_complete(opened.enter_async_context(AIModelAsset.load(entry).executable()))
                self._function = model.load_function(_FUNCTION)
        except Exception as error:  # such as a program of a later version
            _close(self._loop, opened)
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")[:300]
            raise ConverterError(f"Core AI cannot open {entry} ({reason}); convert it again.") from error
        # the runtime keeps what it compiled in a scratch folder for as long as the model is open; at the process's end
        # what was registered last goes first, so this stands behind the folder's own clean-up
        weakref.finalize(self, _close, self._loop, opened)
        about = self._function.desc
        sizes = {name: about.input_descriptor(name).shape for name in about.input_names}
        # heads are exported for one photo: no side is left open
        self.shapes = {name: tuple(int(size or 0) for size in shape) for name, shape in sizes.items()}

    def run(self, inputs: Mapping[str, Array]) -> Array:
        """Execute once; see the base class."""
        return self.outputs(inputs)[SMASHED]

    def outputs(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Execute once and hand out every output by name."""
        check_feed(inputs, self.shapes)
        with running("Core AI", self._entry), quiet():
            from coreai.runtime import NDArray

            given: dict[str, Any] = {name: NDArray(value) for name, value in inputs.items()}
            made: Any = self._loop.run_until_complete(self._function(given))
            return {name: value.numpy().copy() for name, value in made.items()}


class ToCoreai(Converter):
    """Core AI, Apple's successor of Core ML: the one of Apple's runtimes that also runs on Linux."""

    name = "coreai"
    extra = "coreai"
    precisions = ("fp32",)
    backends = ("aimodel",)
    packages: ClassVar = {"torch": "torch", "coreai": "coreai-core", "coreai_torch": "coreai-torch"}
    runtime = "coreai-core"
    apps: ClassVar = {"ios": ("aimodel",)}

    def convert(self, head: HeadProgram, out: Path, *, precision: str, backend: str) -> Conversion:
        """Write head.aimodel into `out`; see the base class."""
        check_choice(self.name, "precision", precision, self.precisions)
        check_choice(self.name, "backend", backend, self.backends)
        entry = out / "head.aimodel"
        with converting("Core AI", precision):
            _write(exported(head, self.name), input_names(head), [SMASHED], entry)
        inputs, outputs = describe(head)
        return Conversion(entry.name, inputs, outputs, None, None, versions("coreai-torch", "coreai-core"))

    def cannot_run(self, backend: str) -> str | None:
        """Say what keeps this backend from running here; see the base class."""
        return None

    def load(self, entry: Path, *, threads: int = 1) -> CoreaiRunner:
        """Open a converted file; see the base class."""
        return CoreaiRunner(entry)

    def operators(self, entry: Path) -> Sequence[Operator]:
        """List the saved program's operators; see the base class."""
        from ._coreai_operators import operators

        _check_whole(entry)  # a program that the package cannot read ends the process, too
        with reading("Core AI", entry), quiet():
            return operators(entry, _FUNCTION)

    def steps(self, head: HeadProgram, inputs: Mapping[str, Array], *, precision: str, backend: str) -> Steps:
        """Convert once more with every result handed out; see the base class."""
        import torch

        from ._steps import with_steps

        with tempfile.TemporaryDirectory() as folder, converting("Core AI", precision):
            module, results, operators = with_steps(exported(head, self.name))
            program = torch.export.export(module, head.example())
            entry = Path(folder) / "steps.aimodel"
            _write(program, input_names(head), [SMASHED, *results], entry)
            made = CoreaiRunner(entry).outputs(inputs)
        # the runtime gives its answers in any order; which operator departs first is told by the graph's
        return Steps(made[SMASHED], {name: made[name] for name in results}, operators)


def _write(program: ExportedProgram, inputs: list[str], outputs: list[str], entry: Path) -> None:
    """Lower a program and save it without the paths and lines of the user's sources."""
    from coreai_torch import TorchConverter, get_decomp_table

    TorchConverter(mode=TorchConverter.Mode.RELEASE).add_exported_program(
        program.run_decompositions(get_decomp_table()), input_names=inputs, output_names=outputs
    ).to_coreai().save_asset(entry)


def _check_whole(entry: Path) -> None:
    """Compare a saved program with the hash beside it: the runtime ends the process on one that it cannot read.

    Raises:
        ConverterError: no .aimodel folder, or one whose program is not what was saved.
    """
    program, digest, about = (entry / name for name in ("main.mlirb", "main.hash", "metadata.json"))
    try:
        json.loads(about.read_bytes())
        whole = hashlib.sha256(program.read_bytes()).digest() == digest.read_bytes()
    except (OSError, ValueError):
        raise ConverterError(f"{entry} is no whole .aimodel folder; convert the head again.") from None
    if not whole:
        raise ConverterError(f"{program} is not the program that was saved; convert the head again.")


def _close(loop: asyncio.AbstractEventLoop, opened: AsyncExitStack) -> None:
    with quiet():
        loop.run_until_complete(opened.aclose())
        loop.close()
