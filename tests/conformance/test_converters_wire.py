"""Heads that emit the wire's codes: on every target the very codes that cloud_tail makes of eager torch's features."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from converter_cases import eager, feed, runnable, small_head, sqnr_db

from cloud_tail.signature import TensorSpec as WireSpec
from cloud_tail.wire import dequantise, quantise
from converters.base import HeadProgram, TensorSpec

pytestmark = pytest.mark.slow

#: least SQNR in dB of the features that the codes stand for, against those of eager torch's codes
LEAST_SQNR = {"fp16": 45.0, "int8": 30.0, "w8": 38.0, "w6": 33.0, "w4": 24.0}


@cache
def spec() -> TensorSpec:
    """Codes per channel that cut off the outermost features of the small head, so that both ends are met."""
    smashed = eager(small_head(), feed(small_head()))
    low, high = (np.quantile(smashed, share, axis=(0, 2, 3)) for share in (0.01, 0.99))
    scale = (high - low) / 255
    zero = np.clip(np.rint(-low / scale), 0, 255)
    return TensorSpec(
        "smashed", "uint8", (-1, *smashed.shape[1:]), "NCHW", tuple(scale.tolist()), tuple(map(int, zero))
    )


@cache
def coded_head() -> HeadProgram:
    return replace(small_head(), wire=spec())


def wire() -> WireSpec:
    return WireSpec("smashed", "uint8", spec().shape, "NCHW", spec().scale, spec().zero_point)


#: their runtimes or delegates have no uint8
FLOAT_CODES = ("coreml", "executorch")


@pytest.mark.parametrize("case", [case for case in runnable() if case.target not in FLOAT_CODES], ids=str)
def test_the_output_is_uint8_and_described_so(case, tmp_path):
    made = case.converter().convert(coded_head(), tmp_path, precision=case.precision, backend=case.backend)
    (output,) = made.outputs
    assert (output.name, output.dtype, output.shape) == ("smashed", "uint8", (1, 16, 14, 14))
    assert (output.scale, output.zero_point) == (spec().scale, spec().zero_point)
    answer = case.converter().load(tmp_path / made.entry).run(feed(coded_head()))
    assert answer.dtype == np.uint8
    _agrees(case.precision, answer)


@pytest.mark.parametrize("case", [case for case in runnable() if case.target in FLOAT_CODES], ids=str)
def test_where_uint8_is_no_output_of_a_delegate_codes_come_as_whole_float32_numbers(case, tmp_path):
    made = case.converter().convert(coded_head(), tmp_path, precision=case.precision, backend=case.backend)
    (output,) = made.outputs
    assert (output.dtype, output.scale, output.zero_point) == ("float32", spec().scale, spec().zero_point)
    answer = case.converter().load(tmp_path / made.entry).run(feed(coded_head()))
    assert answer.dtype == np.float32
    assert np.array_equal(answer, np.rint(answer))
    _agrees(case.precision, answer.astype(np.uint8))


def _agrees(precision: str, codes: np.ndarray) -> None:
    expected = quantise(eager(small_head(), feed(small_head())), wire())
    assert {0, 255} <= set(np.unique(expected).tolist())
    if precision == "fp32":
        # features differ in their last digits: one that lies on the border of two codes may fall to either side
        steps = np.abs(codes.astype(int) - expected)
        assert steps.max() <= 1
        assert (steps > 0).mean() <= 1e-3
    else:
        assert sqnr_db(dequantise(expected, wire()), dequantise(codes, wire())) >= LEAST_SQNR[precision]


@pytest.mark.parametrize("case", [case for case in runnable() if case.precision == "int8"], ids=str)
def test_codes_that_no_calibration_image_had_come_out_of_an_int8_head(case, tmp_path):
    """Noise is unbounded: what it adds to a photo may lie beyond whatever was seen while ranges were measured."""
    few = replace(coded_head(), eps=coded_head().eps * 0.0)
    made = case.converter().convert(few, tmp_path, precision="int8", backend=case.backend)
    loud = {name: value * (6.0 if name == "eps" else 1.0) for name, value in feed(coded_head()).items()}
    expected = quantise(eager(small_head(), loud), wire())
    assert np.mean((expected == 0) | (expected == 255)) > 0.1
    codes = case.converter().load(tmp_path / made.entry).run(loud)
    assert sqnr_db(dequantise(expected, wire()), dequantise(codes.astype(np.uint8), wire())) >= LEAST_SQNR["int8"]


def test_xnnpack_leaves_nothing_outside(tmp_path):
    case = next(case for case in runnable() if (case.target, case.backend) == ("executorch", "xnnpack"))
    made = case.converter().convert(coded_head(), tmp_path, precision="fp32", backend="xnnpack")
    assert made.ops_total is not None
    assert made.ops_delegated == made.ops_total
