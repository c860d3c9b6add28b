"""What a user chooses for `pripro convert`: [convert] of a deploy.toml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .. import plugins
from ..records.settings import Settings
from ..records.wire import HeadWire


def default_targets() -> dict[str, list[str]]:
    """Targets that are made where none is named, each in its default precision."""
    kinds = plugins.known_targets()
    return {name: [kind.default_precision] for name, kind in kinds.items() if kind.default_precision is not None}


class ConvertSettings(Settings):
    """Which heads to make.

    Attributes:
        wire: what heads hand out, float32 features or the wire's uint8 codes.
        targets: target -> precisions, such as onnx = ["fp32", "int8"]; default: `default_targets`.
    """

    wire: HeadWire = "float32"
    targets: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(default_factory=default_targets)
