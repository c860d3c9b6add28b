"""Compressed weights, each in a program of its own: see test_coreml_reference_ops.py."""

from collections.abc import Callable

import numpy as np
import torch
from coreml_cases import POSITIVE, Case, iOS16, iOS18, normal
from coreml_programs import ct, mb, types, vendor_value


def spread(constant: Callable, opset: "ct.target") -> Case:
    """A compressed weight is a constant, so the program adds it to an input of zeros."""
    (value,) = vendor_value(lambda: constant(), {}, opset)
    zeros = np.zeros(value.shape, np.float32)
    return Case(
        lambda x: mb.add(x=x, y=constant()), (zeros,), lambda x: torch.from_numpy(value.astype(np.float32)), opset
    )


def integers(low: int, high: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(high).integers(low, high, shape)


def packed(values: np.ndarray, bits: int) -> np.ndarray:
    """Indices as iOS 16 packs them, lowest bits first."""
    return np.packbits((values.reshape(-1, 1) >> np.arange(bits)) & 1, bitorder="little")


def lut16(bits: int) -> Case:
    indices, lut = integers(0, 2**bits, 5, 3, 3), normal(2**bits)
    return spread(
        lambda: mb.constexpr_lut_to_dense(indices=packed(indices, bits), lut=lut, shape=np.array([5, 3, 3], np.uint32)),
        iOS16,
    )


def lut18(bits: int, groups: tuple[int, int], vector: int = 1) -> Case:
    indices = integers(0, 2**bits, 4, 6).astype(types.type_mapping.string_to_nptype(f"uint{bits}"))
    lut = normal(*groups, 2**bits, vector)
    axis = {} if vector == 1 else {"vector_axis": 0}
    return spread(lambda: mb.constexpr_lut_to_dense(indices=indices, lut=lut, **axis), iOS18)


MASK = integers(0, 2, 4, 6).astype(types.np_uint1_dtype)
ONES = int((MASK == 1).sum())


def joint(make: Callable) -> Case:
    """Pruned and compressed: the second operator makes it dense."""

    def constant():
        mask, values = make()
        return mb.constexpr_sparse_to_dense(nonzero_data=values, mask=mask)

    return spread(constant, iOS18)


WEIGHTS: dict[str, list[Case] | Case] = {
    "constexpr_affine_dequantize": [
        spread(
            lambda: mb.constexpr_affine_dequantize(
                quantized_data=integers(-128, 128, 4, 3, 2).astype(np.int8),
                zero_point=np.int8([1, -2, 3]),
                scale=np.float32([0.1, 0.2, 0.3]),
                axis=1,
            ),
            iOS16,
        ),
        spread(
            lambda: mb.constexpr_affine_dequantize(
                quantized_data=integers(0, 256, 4, 3, 2).astype(np.uint8),
                zero_point=np.uint8(128),
                scale=np.float32(0.1),
                axis=0,
            ),
            iOS16,
        ),
    ],
    "constexpr_blockwise_shift_scale": [
        spread(
            lambda: mb.constexpr_blockwise_shift_scale(
                data=integers(-128, 128, 4, 6).astype(np.int8),
                scale=POSITIVE[0, :2, 0, :3].copy(),
                offset=integers(-9, 9, 2, 3).astype(np.int8),
            ),
            iOS18,
        ),
        spread(
            lambda: mb.constexpr_blockwise_shift_scale(
                data=integers(-8, 8, 4, 6).astype(types.np_int4_dtype), scale=POSITIVE[0, :1, 0, :1].copy()
            ),
            iOS18,
        ),
    ],
    "constexpr_lut_to_dense": [lut16(bits) for bits in (1, 2, 4, 6, 8)]
    + [lut18(bits, (1, 1)) for bits in (1, 2, 3, 4, 6, 8)]
    + [lut18(4, (2, 3)), lut18(2, (2, 1), vector=3)],
    "constexpr_sparse_to_dense": [
        spread(
            lambda: mb.constexpr_sparse_to_dense(
                nonzero_data=normal(5),
                mask=np.packbits([0, 1, 1, 0, 0, 0, 1, 0, 1, 1], bitorder="little"),
                shape=np.array([2, 5], np.uint32),
            ),
            iOS16,
        ),
        spread(lambda: mb.constexpr_sparse_to_dense(nonzero_data=normal(ONES), mask=MASK), iOS18),
    ],
    "constexpr_lut_to_sparse": joint(
        lambda: mb.constexpr_lut_to_sparse(
            indices_mask=MASK,
            indices_nonzero_data=integers(0, 4, ONES).astype(types.np_uint2_dtype),
            lut=normal(2, 1, 4, 1),
        )
    ),
    "constexpr_sparse_blockwise_shift_scale": joint(
        lambda: mb.constexpr_sparse_blockwise_shift_scale(
            data_mask=MASK, nonzero_data=integers(-128, 128, ONES).astype(np.int8), scale=POSITIVE[0, :2, 0, :3].copy()
        )
    ),
    "constexpr_cast": spread(
        lambda: mb.constexpr_cast(source_val=normal(4, 5).astype(np.float16), output_dtype="fp32"), iOS16
    ),
}
