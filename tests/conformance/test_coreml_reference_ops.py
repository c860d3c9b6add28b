"""Each operator of the evaluator, alone in a saved program, against Apple's own numpy folding or torch."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from coreml_cases import IMAGE, INTEGERS, OTHER, POSITIVE, Case, binary, iOS16, iOS18, normal, unary
from coreml_cases_places import PLACES
from coreml_programs import ct, mb, types, vendor_value, write
from torch.nn import functional

from converters.coreml_reference import load_program
from converters.coreml_reference.ops import FUNCTIONS

pytestmark = pytest.mark.slow  # importing coremltools alone takes seconds


def reduction(op: str) -> list[Case]:
    build = getattr(mb, op)
    return [
        Case(lambda x: build(x=x, axes=[-1, 1], keep_dims=False), (POSITIVE,)),
        Case(lambda x: build(x=x, axes=[2, 3], keep_dims=True), (POSITIVE,)),
        Case(lambda x: build(x=x, keep_dims=True), (POSITIVE,)),
    ]


WEIGHT = normal(4, 3, 3, 2)
BIAS = normal(4)
PER_CHANNEL = {"gamma": normal(3), "beta": normal(3) + 1}


def sampled(positions: list[float]) -> Callable:
    """A ramp 0, 1 resized to these positions, as MIL's documentation lists them for two pixels."""
    return lambda x: torch.tensor(positions).reshape(1, 1, 1, -1).expand(1, 1, 2, -1)


RAMP = np.broadcast_to(np.array([0, 1], np.float32), (1, 1, 2, 2)).copy()


def ramp(mode: str, width: int, positions: list[float]) -> Case:
    return Case(
        lambda x: mb.resize_bilinear(x=x, target_size_height=2, target_size_width=width, sampling_mode=mode),
        (RAMP,),
        sampled(positions),
        note=f"{mode} {width}",
    )


def torch_resize(**options: object) -> Callable:
    return lambda x: functional.interpolate(x, **options)


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


CASES: dict[str, list[Case] | Case] = {
    # activation
    "relu": unary("relu"),
    "relu6": unary("relu6", 6 * IMAGE),
    "clamped_relu": unary("clamped_relu", alpha=0.2, beta=0.7),
    "leaky_relu": unary("leaky_relu", alpha=0.1),
    "prelu": Case(
        lambda x: mb.prelu(x=x, alpha=np.float32([0.1, 0.2, 0.3])),
        expect=lambda x: functional.prelu(x, torch.tensor([0.1, 0.2, 0.3])),
    ),
    "elu": unary("elu", alpha=0.5),
    "thresholded_relu": unary("thresholded_relu", alpha=0.3),
    "linear_activation": unary("linear_activation", alpha=2.0, beta=0.5),
    "sigmoid": unary("sigmoid"),
    "sigmoid_hard": unary("sigmoid_hard", alpha=0.2, beta=0.5),
    "silu": Case(lambda x: mb.silu(x=x), expect=functional.silu),
    "tanh": unary("tanh"),
    "scaled_tanh": unary("scaled_tanh", alpha=1.7, beta=0.6),
    "softplus": unary("softplus"),
    "softsign": unary("softsign"),
    "gelu": [unary("gelu", mode=mode) for mode in ("EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION")],
    "softmax": [unary("softmax"), unary("softmax", axis=1)],
    # arithmetic
    **{op: binary(op) for op in ("add", "sub", "mul", "real_div", "maximum", "minimum", "floor_div", "mod")},
    "pow": binary("pow", POSITIVE),
    **{
        op: binary(op, INTEGERS, INTEGERS[::-1].copy())
        for op in ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal")
    },
    **{op: binary(op, INTEGERS > 0, INTEGERS % 2 == 0) for op in ("logical_and", "logical_or", "logical_xor")},
    "logical_not": unary("logical_not", INTEGERS > 0),
    "select": Case(lambda x, y, z: mb.select(cond=x, a=y, b=z), (IMAGE > 0, IMAGE, -2 * IMAGE)),
    # element by element
    **{op: unary(op) for op in ("abs", "ceil", "cos", "erf", "exp", "exp2", "floor", "sign", "sin", "square")},
    "round": unary("round", np.float32([[-1.5, -0.5, 0.5, 1.5, 2.5, 0.49]])),
    "identity": Case(lambda x: mb.identity(x=x), expect=lambda x: x),
    "clip": unary("clip", alpha=-0.5, beta=0.7),
    "threshold": unary("threshold", alpha=0.2),
    "sqrt": unary("sqrt", POSITIVE),
    "rsqrt": [unary("rsqrt", POSITIVE), unary("rsqrt", POSITIVE, epsilon=0.1)],
    "inverse": [unary("inverse", POSITIVE), unary("inverse", POSITIVE, epsilon=0.1)],
    "log": [unary("log", POSITIVE), unary("log", POSITIVE, epsilon=0.1)],
    "cast": [
        unary("cast", 3 * IMAGE, dtype="int32"),
        unary("cast", INTEGERS, dtype="bool"),
        unary("cast", INTEGERS, dtype="fp32"),
    ],
    # reductions
    **{
        f"reduce_{kind}": reduction(f"reduce_{kind}")
        for kind in ("mean", "sum", "max", "min", "prod", "sum_square", "l1_norm", "l2_norm", "log_sum", "log_sum_exp")
    },
    "reduce_argmax": [unary("reduce_argmax", axis=1), unary("reduce_argmax", axis=-1, keep_dims=True)],
    "reduce_argmin": [unary("reduce_argmin", axis=1), unary("reduce_argmin", axis=-1, keep_dims=True)],
    # products
    "conv": [
        Case(
            lambda x: mb.conv(
                x=x, weight=WEIGHT, bias=BIAS, strides=[2, 1], pad_type="custom", pad=[1, 1, 2, 2], dilations=[1, 2]
            ),
            expect=lambda x: functional.conv2d(x, torch.tensor(WEIGHT), torch.tensor(BIAS), (2, 1), (1, 2), (1, 2)),
        ),
        Case(
            lambda x: mb.conv(x=x, weight=WEIGHT, pad_type="custom", pad=[0, 1, 2, 0]),
            expect=lambda x: functional.conv2d(functional.pad(x, (2, 0, 0, 1)), torch.tensor(WEIGHT)),
            note="uneven padding",
        ),
        Case(
            lambda x: mb.conv(x=x, weight=WEIGHT, pad_type="same"),
            expect=lambda x: functional.conv2d(functional.pad(x, (0, 1, 1, 1)), torch.tensor(WEIGHT)),
            note="same",
        ),
        Case(
            lambda x: mb.conv(x=x, weight=WEIGHT[:3, :1], groups=3),
            expect=lambda x: functional.conv2d(x, torch.tensor(WEIGHT[:3, :1]), groups=3),
            note="depthwise",
        ),
        Case(
            lambda x: mb.conv(x=x, weight=normal(4, 3, 3)),
            (normal(2, 3, 8),),
            lambda x: functional.conv1d(x, torch.tensor(normal(4, 3, 3))),
            note="1-D",
        ),
    ],
    "linear": Case(
        lambda x: mb.linear(x=x, weight=normal(4, 6), bias=BIAS),
        (normal(2, 3, 6),),
        lambda x: functional.linear(x, torch.tensor(normal(4, 6)), torch.tensor(BIAS)),
    ),
    "matmul": [
        Case(lambda x, y: mb.matmul(x=x, y=y), (normal(2, 3, 4), normal(2, 4, 5))),
        Case(lambda x, y: mb.matmul(x=x, y=y, transpose_x=True, transpose_y=True), (normal(2, 4, 3), normal(5, 4))),
    ],
    "scaled_dot_product_attention": Case(
        lambda x, y, z: mb.scaled_dot_product_attention(query=x, key=y, value=z),
        (normal(1, 2, 3, 4), normal(1, 2, 5, 4), normal(1, 2, 5, 6)),
        functional.scaled_dot_product_attention,
        iOS18,
    ),
    # pooling
    "max_pool": [
        Case(
            lambda x: mb.max_pool(
                x=x, kernel_sizes=[3, 2], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1], ceil_mode=True
            ),
            expect=lambda x: functional.max_pool2d(x, (3, 2), 2, 1, ceil_mode=True),
        ),
        Case(
            lambda x: mb.max_pool(x=mb.sub(x=x, y=9.0), kernel_sizes=[2, 2], pad_type="custom", pad=[0, 1, 0, 0]),
            expect=lambda x: functional.max_pool2d(functional.pad(x - 9, (0, 0, 0, 1), value=-99), 2, 1),
            note="uneven padding of negative values",
        ),
    ],
    "avg_pool": [
        Case(
            lambda x, exclude=exclude: mb.avg_pool(
                x=x,
                kernel_sizes=[3, 2],
                strides=[2, 2],
                pad_type="custom",
                pad=[1, 1, 1, 1],
                exclude_padding_from_average=exclude,
                ceil_mode=True,
            ),
            expect=lambda x, exclude=exclude: functional.avg_pool2d(x, (3, 2), 2, 1, True, not exclude),
            note=f"exclude {exclude}",
        )
        for exclude in (False, True)
    ]
    + [
        Case(
            lambda x: mb.avg_pool(x=x, kernel_sizes=[2, 2], pad_type="same", exclude_padding_from_average=True),
            expect=lambda x: (
                functional.avg_pool2d(functional.pad(x, (0, 1, 0, 1)), 2, 1)
                / functional.avg_pool2d(functional.pad(torch.ones_like(x), (0, 1, 0, 1)), 2, 1)
            ),
            note="same",
        ),
        Case(
            lambda x: mb.avg_pool(x=x, kernel_sizes=[2, 2], strides=[3, 3], pad_type="valid", ceil_mode=True),
            (np.arange(49, dtype=np.float32).reshape(1, 1, 7, 7),),
            # what Core ML gave on a Mac, coremltools pull request 2844; torch divides the last ones by 2, 2 and 1
            lambda x: torch.tensor([[[[4, 7, 4.75], [25, 28, 15.25], [21.25, 22.75, 12]]]]),
            note="ceil counts what it adds",
        ),
    ],
    # normalisation
    "batch_norm": Case(
        lambda x: mb.batch_norm(x=x, mean=normal(3), variance=np.abs(normal(3)) + 1, epsilon=1e-3, **PER_CHANNEL),
        expect=lambda x: functional.batch_norm(
            x,
            torch.tensor(normal(3)),
            torch.tensor(np.abs(normal(3)) + 1),
            *map(torch.tensor, PER_CHANNEL.values()),
            eps=1e-3,
        ),
    ),
    "instance_norm": Case(
        lambda x: mb.instance_norm(x=x, epsilon=1e-3, **PER_CHANNEL),
        expect=lambda x: functional.instance_norm(
            x, weight=torch.tensor(PER_CHANNEL["gamma"]), bias=torch.tensor(PER_CHANNEL["beta"]), eps=1e-3
        ),
    ),
    "layer_norm": [
        Case(
            lambda x: mb.layer_norm(x=x, axes=[-1], gamma=normal(6), beta=normal(6) + 1, epsilon=1e-3),
            expect=lambda x: functional.layer_norm(x, (6,), torch.tensor(normal(6)), torch.tensor(normal(6) + 1), 1e-3),
        ),
        Case(
            lambda x: mb.layer_norm(x=x, axes=[1], epsilon=1e-3, **PER_CHANNEL),
            expect=lambda x: functional.layer_norm(
                x.movedim(1, -1), (3,), *map(torch.tensor, PER_CHANNEL.values()), 1e-3
            ).movedim(-1, 1),
            note="channels",
        ),
    ],
    "l2_norm": Case(
        lambda x: mb.l2_norm(x=x, epsilon=1e-3), expect=lambda x: x / (x.square().sum((1, 2, 3), True) + 1e-3).sqrt()
    ),
    # resizing
    "upsample_bilinear": [
        Case(
            lambda x, align=align: mb.upsample_bilinear(
                x=x, scale_factor_height=3, scale_factor_width=2, align_corners=align
            ),
            expect=torch_resize(scale_factor=(3, 2), mode="bilinear", align_corners=align),
            note=f"align {align}",
        )
        for align in (False, True)
    ],
    "resize_bilinear": [
        ramp("UNALIGN_CORNERS", 5, [0.0, 0.1, 0.5, 0.9, 1.0]),
        ramp("STRICT_ALIGN_CORNERS", 5, [0.0, 0.25, 0.5, 0.75, 1.0]),
        ramp("ALIGN_CORNERS", 1, [0.5]),
        ramp("DEFAULT", 5, [0.0, 0.4, 0.8, 1.0, 1.0]),
        ramp("OFFSET_CORNERS", 5, [0.1, 0.3, 0.5, 0.7, 0.9]),
        Case(
            lambda x: mb.resize_bilinear(
                x=x, target_size_height=3, target_size_width=4, sampling_mode="UNALIGN_CORNERS"
            ),
            expect=torch_resize(size=(3, 4), mode="bilinear", align_corners=False),
            note="shrinking",
        ),
    ],
    "upsample_nearest_neighbor": Case(
        lambda x: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
        expect=torch_resize(scale_factor=(2, 3), mode="nearest"),
    ),
    "resize_nearest_neighbor": Case(
        lambda x: mb.resize_nearest_neighbor(x=x, target_size_height=10, target_size_width=3),
        expect=torch_resize(size=(10, 3), mode="nearest"),
    ),
    "resize": [
        Case(
            lambda x: mb.resize(x=x, shape=[7, 0], resized_dims=np.uint32(2), sampling_mode="UNALIGN_CORNERS"),
            expect=torch_resize(size=(7, 6), mode="bilinear", align_corners=False),
        ),
        Case(
            lambda x: mb.resize(x=x, shape=[12], resized_dims=np.uint32(1), interpolation_mode="NEAREST_NEIGHBOR"),
            expect=torch_resize(size=(5, 12), mode="nearest"),
            note="one axis",
        ),
    ],
    # shape
    "reshape": [unary("reshape", shape=[6, -1]), unary("reshape", shape=[0, 5, 3, -1])],
    "transpose": unary("transpose", perm=[3, 0, 2, 1]),
    "expand_dims": unary("expand_dims", axes=[0, -1, 3]),
    "squeeze": [unary("squeeze", OTHER, axes=[-2]), unary("squeeze", OTHER)],
    "flatten2d": unary("flatten2d", axis=2),
    "concat": [
        Case(lambda x, y: mb.concat(values=[x, y, x], axis=-3), (IMAGE, normal(2, 4, 5, 6))),
        Case(
            lambda x, y: mb.concat(values=[x, y], axis=1, interleave=True),
            (IMAGE, -IMAGE),
            lambda x, y: torch.stack([x, y], 2).flatten(1, 2),
            note="interleaved",
        ),
    ],
    "stack": Case(lambda x, y: mb.stack(values=[x, y], axis=1), (IMAGE, -IMAGE)),
    "tile": unary("tile", reps=[1, 2, 1, 3]),
    "pad": [
        unary("pad", pad=[1, 2, 0, 1], mode="constant", constant_val=0.5),
        unary("pad", pad=[1, 2, 3, 1], mode="reflect"),
        unary("pad", pad=[1, 2, 3, 1], mode="replicate"),
    ],
    "fill": Case(
        lambda x: mb.add(x=x, y=mb.fill(shape=mb.shape(x=x), value=1.5)),
        expect=lambda x: x + 1.5,
        note="a shape read at run time",
    ),
    "shape": Case(lambda x: mb.shape(x=x), (IMAGE,)),
    # parts
    "slice_by_index": [
        unary("slice_by_index", begin=[0, 1, -4, 0], end=[1, 3, -1, 5], stride=[1, 1, 1, 2]),
        unary(
            "slice_by_index",
            begin=[0, 0, 0, 9],
            end=[0, 0, 0, 0],
            stride=[1, 2, 1, -1],
            begin_mask=[True] * 4,
            end_mask=[True] * 4,
        ),
        unary(
            "slice_by_index",
            begin=[-1, 0, 2, 0],
            end=[0, 2, 0, 6],
            squeeze_mask=[True, False, True, False],
        ),
    ],
    "slice_by_size": unary("slice_by_size", begin=[0, 1, 2, 0], size=[1, 2, -1, 6]),
    "split": [unary("split", num_splits=3, axis=1), unary("split", split_sizes=[1, 4], axis=2)],
    "gather": [unary("gather", indices=[2, 0, -1], axis=1), unary("gather", indices=[[0, 1], [2, 3]], axis=-1)],
    # compressed weights
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
    **PLACES,
}

ALL = [
    pytest.param(case, id="-".join(filter(None, [op, str(number) if number else "", case.note])))
    for op, cases in CASES.items()
    for number, case in enumerate(cases if isinstance(cases, list) else [cases])
]


@pytest.mark.parametrize("case", ALL)
def test_operator_agrees_with_its_definition(case, tmp_path):
    program = load_program(write(case.build, case.arrays(), tmp_path, case.opset))
    made = program.run({k: a.astype(np.int32) if a.dtype == bool else a for k, a in case.arrays().items()})
    results = list(made.values()) if isinstance(made, dict) else [made]
    expected = case.expected()
    assert len(results) == len(expected)
    for result, want in zip(results, expected, strict=True):
        assert result.shape == want.shape
        np.testing.assert_allclose(result, want, rtol=2e-6, atol=2e-6)


def test_every_operator_has_a_case():
    assert sorted(CASES) == sorted(FUNCTIONS)


@pytest.mark.parametrize("op", CASES)
def test_the_saved_program_holds_the_operator_that_the_case_is_named_for(op, tmp_path):
    case = ALL[[p.id.split("-")[0] for p in ALL].index(op)].values[0]
    spec = ct.utils.load_spec(str(write(case.build, case.arrays(), tmp_path, case.opset)))
    main = spec.mlProgram.functions["main"]
    assert op in {operation.type for operation in main.block_specializations[main.opset].operations}
