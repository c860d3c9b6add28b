"""Half-precision and int8 versions of a float .tflite head, by Google's ai-edge-quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._heads import EPS, IMAGE, calibration

if TYPE_CHECKING:
    from pathlib import Path

    from .base import HeadProgram

#: the names of an operator's outputs say which module it comes from: `Head` has a backbone, a block and codes; the last
#: operator is named for the signature's output instead
_BACKBONE = r"^(?!serving_default)(?!.*\.Head_head/[^/;]*_(block|codes)[/;])"


def to_fp16(path: Path) -> None:
    """Replace a float .tflite by one with half-precision weights; it computes in the device's own precision."""
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer

    maker = quantizer.Quantizer(str(path))
    maker.add_weight_only_config(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        num_bits=16,
        algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
    )
    maker.quantize().export_model(str(path), overwrite=True)


def to_int8(path: Path, head: HeadProgram) -> None:
    """Replace a float .tflite by one whose backbone is int8 (weights per channel, activations per tensor).

    The block and eps stay float: int8 softmax has too little resolution for hundreds of positions. So do the codes: an
    int8 sum ends where calibration ended, and would cut off whatever code no calibration photo had.

    Raises:
        ConverterError: the head carries no calibration images.
    """
    from ai_edge_quantizer import algorithm_manager, calibrator, qtyping, quantizer, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    noise = {} if head.eps is None else {EPS: head.eps.numpy()}
    feeds = [{IMAGE: image.numpy(), **noise} for image in calibration(head)]
    maker = quantizer.Quantizer(str(path))
    maker.add_static_config(
        regex=_BACKBONE,
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        activation_num_bits=8,
        weight_num_bits=8,
    )
    known = qtyping.TFLOperationName
    # inputs and outputs stay float32, and so do transpositions: those of eps and of the output carry no scope
    whole = (known.INPUT, known.OUTPUT, known.TRANSPOSE)
    # int8 leaves little of attention (its softmax, and products of activations), of choices between features, and of
    # norms, whose squares and quotients span more than 256 steps tell apart
    attention = (known.SOFTMAX, known.BATCH_MATMUL)
    choices = (known.SELECT, known.SELECT_V2)
    norms = (known.SUB, known.SQUARED_DIFFERENCE, known.SQRT, known.RSQRT, known.DIV)
    for name in (*whole, *attention, *choices, *norms):
        maker.update_quantization_recipe(
            regex=".*", operation_name=name, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE
        )
    recipe = recipe_manager.RecipeManager()
    recipe.load_quantization_recipe(maker.get_quantization_recipe())
    # the quantizer's own calibrate() keeps a moving average of each image's extremes, and so clips every second photo
    seen = calibrator.Calibrator(str(path), num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    seen.calibrate({"serving_default": feeds}, recipe)
    maker.quantize(seen.get_model_qsvs()).export_model(str(path), overwrite=True)
