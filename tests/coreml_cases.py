"""What the cases of the Core ML evaluator's operators are made of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from coreml_programs import ct, mb, vendor_value

iOS16, iOS17, iOS18 = ct.target.iOS16, ct.target.iOS17, ct.target.iOS18


def normal(*shape: int) -> np.ndarray:
    """Values around 0, the same in every run."""
    return np.random.default_rng(sum(shape) + len(shape)).standard_normal(shape).astype(np.float32)


IMAGE = normal(2, 3, 5, 6)
BIAS_2 = normal(4)
POSITIVE = np.abs(IMAGE) + 0.1
OTHER = normal(1, 3, 1, 6)
INTEGERS = np.arange(-6, 6, dtype=np.int32).reshape(3, 4)


@dataclass
class Case:
    """`expect` computes the right answer with torch; None asks coremltools' own folding."""

    build: Callable
    inputs: tuple[np.ndarray, ...] = (IMAGE,)
    expect: Callable | None = None
    opset: "ct.target" = iOS17
    note: str = ""

    def arrays(self) -> dict[str, np.ndarray]:
        """The inputs by name."""
        return dict(zip("xyz", self.inputs, strict=False))

    def expected(self) -> list[np.ndarray]:
        """The right answers."""
        if self.expect is None:
            return vendor_value(self.build, self.arrays(), self.opset)
        with torch.no_grad():
            made = self.expect(*(torch.from_numpy(a) for a in self.inputs))
        return [np.asarray(m) for m in (made if isinstance(made, tuple | list) else [made])]


def unary(op: str, x: np.ndarray = IMAGE, **constants: object) -> Case:
    return Case(lambda x: getattr(mb, op)(x=x, **constants), (x,))


def binary(op: str, x: np.ndarray = IMAGE, y: np.ndarray = OTHER) -> Case:
    return Case(lambda x, y: getattr(mb, op)(x=x, y=y), (x, y))
