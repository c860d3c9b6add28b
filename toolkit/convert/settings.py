"""What a user chooses for `pripro convert`: [convert] of a deploy.toml."""

from __future__ import annotations

from pydantic import Field

from ..records.settings import Settings
from ..records.wire import HeadWire

#: each target in the precision that it ships in by default
_DEFAULT = {"executorch": ["fp32"], "coreml": ["fp16"], "tflite": ["fp32"], "onnx": ["fp32"]}


class ConvertSettings(Settings):
    """Which heads to make.

    Attributes:
        wire: what heads hand out, float32 features or the wire's uint8 codes.
        targets: target -> precisions, such as onnx = ["fp32", "int8"].
    """

    wire: HeadWire = "float32"
    targets: dict[str, list[str]] = Field(
        default_factory=lambda: {name: list(kinds) for name, kinds in _DEFAULT.items()}
    )
