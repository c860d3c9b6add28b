"""Half-precision and int8 versions of a float .onnx head, by onnxruntime's own tools."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._heads import EPS, IMAGE, SMASHED, calibration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Array, HeadProgram


def to_fp16(path: Path) -> None:
    """Replace a float .onnx by one that stores and computes in half precision; inputs and output stay float32."""
    import onnx
    import onnx_ir
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half = convert_float_to_float16(onnx.load(path), keep_io_types=True)
    model = onnx_ir.serde.deserialize_model(half)
    model.graph.sort()  # the casts that the line above puts at the end of the list belong at its start
    onnx.save(onnx_ir.serde.serialize_model(model), path)
    onnx.checker.check_model(str(path))


def quantise_tail(model: Path, batches: Sequence[Array], out: Path) -> None:
    """Write the int8 version of a float tail: weights int8 per channel, activations uint8 per tensor.

    That pair of types is what a server's processor multiplies without an intermediate overflow.

    Args:
        model: .onnx with the input `smashed`.
        batches: protected features [n,c,h,w] to calibrate with.
        out: the file to write.
    """
    from onnxruntime.quantization import QuantType, quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared))
        _quantise(prepared, [{SMASHED: batch} for batch in batches], out, QuantType.QUInt8, [])


def to_int8(path: Path, head: HeadProgram) -> None:
    """Replace a float .onnx by one whose backbone is int8 (weights per channel, activations per tensor).

    The block, eps and the codes' own arithmetic stay float: int8 softmax has too little resolution for hundreds of
    positions.

    Raises:
        ConverterError: the head carries no calibration images.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quant_pre_process

    noise = {} if head.eps is None else {EPS: head.eps.numpy()}
    feeds = [{IMAGE: image.numpy(), **noise} for image in calibration(head)]
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        # its optimiser would drop the scopes that tell the block from the backbone
        quant_pre_process(str(path), str(prepared), skip_optimization=True, skip_symbolic_shape=True)
        graph = onnx.load(prepared).graph
        weights = {value.name: list(value.dims) for value in graph.initializer}
        floats = [node.name for node in graph.node if _stays_float(node) or _too_coarse(node, weights)]
        _quantise(prepared, feeds, path, QuantType.QInt8, floats)


def _quantise(
    prepared: Path,
    feeds: Sequence[dict[str, Array]],
    out: Path,
    activations: Any,  # noqa: ANN401 - onnxruntime ships no types
    floats: list[str],
) -> None:
    """Write the static QDQ form of a prepared .onnx, weights int8 per channel; the nodes named in `floats` stay."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    waiting = iter(feeds)

    class Feeds(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Array] | None:
            return next(waiting, None)

    quantize_static(
        str(prepared),
        str(out),
        Feeds(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=floats,
    )


def _too_coarse(node: Any, weights: dict[str, list[int]]) -> bool:  # noqa: ANN401 - onnx ships no types
    """Whether int8 leaves nothing of an operator, or onnxruntime's quantiser cannot do it.

    Attention: int8 softmax is too coarse, and its products are of activations alone. A transposed convolution
    in groups has its weights' channels on two axes, of which the quantiser knows one.
    """
    if node.op_type == "ConvTranspose":
        return any(entry.name == "group" and entry.i > 1 for entry in node.attribute)
    if node.op_type == "MatMul":
        return not any(name in weights for name in node.input)
    return node.op_type in ("Softmax", "Where")


def _stays_float(node: Any) -> bool:  # noqa: ANN401 - onnx ships no types
    scopes = {entry.key: entry.value for entry in node.metadata_props}.get("pkg.torch.onnx.name_scopes", "[]")
    return ast.literal_eval(scopes)[1:2] in (["block"], ["codes"])
