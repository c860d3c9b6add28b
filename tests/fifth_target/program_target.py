"""A target that this project does not have: torch's own exported program, run by torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from converters._heads import SMASHED, check_choice, check_feed, converting, describe, exported, input_names, versions
from converters.base import Conversion, Converter, ConverterError, HeadProgram, Runner, Traced

if TYPE_CHECKING:
    from pathlib import Path


class ProgramRunner(Runner):
    """An exported program."""

    def __init__(self, entry: Path) -> None:
        import torch

        try:
            self._program = torch.export.load(entry)
        except Exception as error:
            raise ConverterError(f"{entry} is no exported program; convert it again.") from error
        inputs = self._program.example_inputs[0]
        self.shapes = dict(zip(("image", "eps"), (tuple(one.shape) for one in inputs), strict=False))

    def run(self, inputs):
        import torch

        check_feed(inputs, self.shapes)
        with torch.no_grad():
            return self._program.module()(*(torch.from_numpy(inputs[name]) for name in self.shapes)).numpy()


class ToProgram(Converter):
    """One file and an entry point, nothing else."""

    name = "program"
    precisions = ("fp32",)
    backends = ("eager",)
    packages: ClassVar = {"torch": "torch"}
    runtime = "torch"
    keeps_names = True

    def convert(self, head: HeadProgram, out: Path, *, precision: str, backend: str) -> Conversion:
        import torch

        check_choice(self.name, "precision", precision, self.precisions)
        check_choice(self.name, "backend", backend, self.backends)
        with converting("a program", precision):
            torch.export.save(exported(head, self.name), out / "head.pt2")
        inputs, outputs = describe(head)
        assert [spec.name for spec in inputs] == input_names(head)
        return Conversion("head.pt2", inputs, outputs, None, None, versions())

    def cannot_run(self, backend: str) -> str | None:
        return None

    def load(self, entry: Path, *, threads: int = 1) -> Runner:
        return ProgramRunner(entry)

    def trace(self, entry: Path, inputs):
        return [Traced("whole", tuple(inputs), {SMASHED: ProgramRunner(entry).run(inputs)})]

    def profile(self, entry: Path, inputs, runs: int):
        return {"whole": (1, 1.0)}
