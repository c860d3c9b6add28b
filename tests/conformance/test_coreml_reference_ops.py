"""Each operator of the evaluator, alone in a saved program, against Apple's own numpy folding or torch."""

import numpy as np
import pytest
import torch
from coreml_cases import IMAGE, INTEGERS, OTHER, POSITIVE, Case, binary, normal, unary
from coreml_cases_maps import MAPS
from coreml_cases_places import PLACES
from coreml_cases_weights import WEIGHTS
from coreml_programs import ct, mb, write
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
    **MAPS,
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
    **PLACES,
    **WEIGHTS,
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
