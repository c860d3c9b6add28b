"""Cases of operators that take positions, sort, or write at places, see test_coreml_reference_ops.py."""

import numpy as np
import torch
from coreml_cases import BIAS_2, IMAGE, Case, iOS16, iOS18, normal, unary
from coreml_programs import mb
from torch.nn import functional

ROWS = np.int32([2, -3, 1])
#: rank 4 indices below 3 that name no place twice
ALONG = np.int32([[2, 0, 1], [0, 1, 2]])
TABLE = normal(2, 3)
DEEP = normal(3, 4)
KERNEL = normal(3, 4, 3, 2)


def torched(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array)


def transposed(note: str, expect, **options: object) -> Case:
    return Case(lambda x: mb.conv_transpose(x=x, weight=KERNEL, **options), expect=expect, note=note)


def scatter_row(mode: str, change) -> Case:
    def expect(x: torch.Tensor) -> torch.Tensor:
        made = x.clone()
        for row, update in zip([2, 0, 1], torched(normal(3, 4)), strict=True):
            made[row] = change(made[row], update)
        return made

    return Case(lambda x: mb.scatter(data=x, indices=ROWS, updates=normal(3, 4), mode=mode), (DEEP,), expect, note=mode)


PLACES: dict[str, list[Case] | Case] = {
    # image
    "crop": Case(lambda x: mb.crop(x=x, crop_height=[1, 2], crop_width=[0, 3]), expect=lambda x: x[:, :, 1:3, :3]),
    "resample": [
        Case(
            lambda x, y, mode=mode, torch_mode=torch_mode: mb.resample(
                x=x, coordinates=y, sampling_mode="bilinear", padding_mode=mode, padding_value=0.0,
                coordinates_mode="normalized_minus_one_to_one", align_corners=False,
            ),
            (IMAGE, np.tanh(normal(2, 4, 7, 2)) * 1.3),
            lambda x, y, torch_mode=torch_mode: functional.grid_sample(
                x, y, "bilinear", torch_mode, align_corners=False
            ),
            note=mode,
        )
        for mode, torch_mode in (("constant", "zeros"), ("border", "border"), ("symmetric", "reflection"))
    ]
    + [
        Case(
            lambda x, y: mb.resample(
                x=x, coordinates=y, sampling_mode="bilinear", padding_mode="constant", padding_value=2.0,
                coordinates_mode="unnormalized", align_corners=True,
            ),
            (IMAGE, np.float32([[[[0.5, 1.0], [9.0, 0.0]]]] * 2)),
            # between two pixels of row 1; far outside
            lambda x, y: torch.stack([(x[:, :, 1, 0] + x[:, :, 1, 1]) / 2, torch.full((2, 3), 2.0)], 2)[:, :, None],
            note="pixels",
        )
    ],
    # convolution
    "conv_transpose": [
        transposed("plain", lambda x: functional.conv_transpose2d(x, torched(KERNEL))),
        transposed(
            "strides, padding and bias",
            lambda x: functional.conv_transpose2d(x, torched(KERNEL), torched(BIAS_2), (2, 1), (1, 0)),
            strides=[2, 1], pad_type="custom", pad=[1, 1, 0, 0], bias=BIAS_2,
        ),
        transposed(
            "output padding",
            lambda x: functional.conv_transpose2d(x, torched(KERNEL), torched(BIAS_2), 2, (1, 0), (1, 0)),
            strides=[2, 2], pad_type="custom", pad=[1, 1, 0, 0], output_shape=[2, 4, 10, 12], bias=BIAS_2,
        ),
        transposed(
            "dilated",
            lambda x: functional.conv_transpose2d(x, torched(KERNEL), dilation=(2, 3)),
            dilations=[2, 3],
        ),
        Case(
            lambda x: mb.conv_transpose(x=x, weight=KERNEL[:, :2], groups=3, strides=[1, 2]),
            expect=lambda x: functional.conv_transpose2d(x, torched(KERNEL[:, :2]), stride=(1, 2), groups=3),
            note="groups",
        ),
    ],
    "einsum": [
        Case(
            lambda x, y: mb.einsum(values=[x, y], equation="nchw,nwhu->nchu"),
            (normal(2, 3, 4, 5), normal(2, 5, 4, 6)),
            lambda x, y: torch.einsum("nchw,nwhu->nchu", x, y),
        ),
        Case(
            lambda x, y: mb.einsum(values=[x, y], equation="chw,whr->chr"),
            (normal(3, 4, 5), normal(5, 4, 6)),
            lambda x, y: torch.einsum("chw,whr->chr", x, y),
        ),
    ],
    # normalisation
    "local_response_norm": Case(
        lambda x: mb.local_response_norm(x=x, size=3, alpha=0.3, beta=0.6, k=1.5),
        expect=lambda x: functional.local_response_norm(x, 3, 0.3, 0.6, 1.5),
    ),
    # order
    "topk": [
        Case(
            lambda x: mb.topk(x=x, k=2, axis=1),
            expect=lambda x: (torch.topk(x, 2, 1).values, torch.topk(x, 2, 1).indices.int()),
        ),
        Case(
            lambda x: mb.topk(x=x, k=4, axis=-1, ascending=True, return_indices=False),
            expect=lambda x: torch.topk(x, 4, -1, largest=False).values,
            opset=iOS16,
            note="smallest",
        ),
    ],
    "argsort": [
        Case(lambda x: mb.argsort(x=x, axis=1), expect=lambda x: x.argsort(1, descending=True).int()),
        Case(lambda x: mb.argsort(x=x, axis=-1, ascending=True), expect=lambda x: x.argsort(-1).int()),
    ],
    "cumsum": [
        unary("cumsum", axis=2),
        unary("cumsum", axis=-1, reverse=True),
        Case(
            lambda x: mb.cumsum(x=x, axis=1, exclusive=True),
            expect=lambda x: torch.cumsum(functional.pad(x, (0, 0, 0, 0, 1, 0)), 1)[:, :-1],
            note="exclusive",
        ),
    ],
    "reverse": [
        Case(lambda x: mb.reverse(x=x, axes=[-1, 1]), expect=lambda x: x.flip(3, 1)),
        Case(lambda x: mb.reverse(x=x), expect=lambda x: x.flip(0, 1, 2, 3)),
    ],
    "band_part": [
        Case(lambda x: mb.band_part(x=x, lower=0, upper=-1), expect=lambda x: x.triu()),
        Case(lambda x: mb.band_part(x=x, lower=1, upper=2), expect=lambda x: x.triu(-1).tril(2)),
    ],
    "one_hot": [
        Case(
            lambda x: mb.one_hot(indices=x, one_hot_vector_size=4, on_value=2.0, off_value=-1.0),
            (np.int32([3, 0, 1]),),
            lambda x: 3.0 * functional.one_hot(x.long(), 4) - 1,
        ),
        Case(
            lambda x: mb.one_hot(indices=x, one_hot_vector_size=4, axis=0),
            (np.int32([3, 0, 1]),),
            lambda x: functional.one_hot(x.long(), 4).T.int(),
        ),
    ],
    "range_1d": Case(
        lambda x: mb.range_1d(start=mb.squeeze(x=x), end=9, step=3),
        (np.int32([1]),),
        lambda x: torch.tensor([1, 4, 7], dtype=torch.int32),
    ),
    "fill_like": Case(
        lambda x: mb.fill_like(ref_tensor=x, value=1.5), expect=lambda x: torch.full_like(x, 1.5), opset=iOS16
    ),
    "non_zero": Case(
        lambda x: mb.non_zero(x=x), (np.float32([[0, 2], [3, 0]]),), lambda x: torch.nonzero(x).int()
    ),
    "sliding_windows": Case(
        lambda x: mb.sliding_windows(x=x, axis=2, size=3, stride=2),
        expect=lambda x: torch.stack([x[:, :, 0:3], x[:, :, 2:5]], 2),
    ),
    # places
    "gather_along_axis": Case(
        lambda x: mb.gather_along_axis(x=x, indices=ALONG, axis=1),
        (TABLE,),
        lambda x: torch.gather(x, 1, torched(ALONG).long()),
    ),
    "gather_nd": [
        Case(
            lambda x: mb.gather_nd(x=x, indices=np.int32([[1, 2], [0, -3]])),
            (TABLE,),
            lambda x: torch.stack([x[1, 2], x[0, 0]]),
        ),
        Case(
            lambda x: mb.gather_nd(x=x, indices=np.int32([[[2], [0]], [[1], [1]]]), batch_dims=1),
            (normal(2, 3, 4),),
            lambda x: torch.stack([x[0, [2, 0]], x[1, [1, 1]]]),
            opset=iOS16,
            note="shared axis",
        ),
    ],
    "scatter": [
        scatter_row("update", lambda old, new: new),
        scatter_row("add", lambda old, new: old + new),
        scatter_row("sub", lambda old, new: old - new),
        scatter_row("mul", lambda old, new: old * new),
        scatter_row("div", lambda old, new: old / new),
        scatter_row("max", torch.maximum),
        scatter_row("min", torch.minimum),
        Case(
            lambda x: mb.scatter(data=x, indices=np.int32([1, 1]), updates=normal(3, 2), axis=1, mode="add"),
            (DEEP,),
            lambda x: x.index_add(1, torch.tensor([1, 1]), torched(normal(3, 2))),
            note="twice the same place",
        ),
    ],
    "scatter_along_axis": [
        Case(
            lambda x: mb.scatter_along_axis(data=x, indices=ALONG, updates=normal(2, 3) * 2, axis=1, mode="update"),
            (TABLE,),
            lambda x: x.scatter(1, torched(ALONG).long(), torched(normal(2, 3)) * 2),
        ),
        Case(
            lambda x: mb.scatter_along_axis(
                data=x, indices=np.zeros((2, 3), np.int32), updates=normal(2, 3), axis=1, mode="add"
            ),
            (TABLE,),
            lambda x: x + functional.pad(torched(normal(2, 3)).sum(1, keepdim=True), (0, 2)),
            note="twice the same place",
        ),
    ],
    "scatter_nd": Case(
        lambda x: mb.scatter_nd(data=x, indices=np.int32([[1, 2], [0, -3]]), updates=np.float32([5, 7]), mode="add"),
        (TABLE,),
        lambda x: x + torch.tensor([[7.0, 0, 0], [0, 0, 5]]),
    ),
    "slice_update": Case(
        lambda x: mb.slice_update(
            x=x, update=normal(2, 2), begin=[0, 1], end=[0, 4], stride=[2, 2], end_mask=[True, False]
        ),
        (DEEP,),
        lambda x: x.index_put((torch.tensor([[0], [2]]), torch.tensor([[1, 3]])), torched(normal(2, 2))),
        opset=iOS18,
    ),
    # shape
    "pixel_shuffle": Case(
        lambda x: mb.pixel_shuffle(x=x, upscale_factor=2),
        (normal(2, 8, 3, 4),),
        lambda x: functional.pixel_shuffle(x, 2),
    ),
    "pixel_unshuffle": Case(
        lambda x: mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(2)),
        (normal(2, 3, 4, 6),),
        lambda x: functional.pixel_unshuffle(x, 2),
        opset=iOS16,
    ),
    "depth_to_space": Case(
        lambda x: mb.depth_to_space(x=x, block_size=2),
        (np.arange(16, dtype=np.float32).reshape(1, 8, 1, 2),),
        # two channels; a block's four values come from channels 0, 2, 4, 6 and 1, 3, 5, 7
        lambda x: torch.tensor([[[[0.0, 4, 1, 5], [8, 12, 9, 13]], [[2, 6, 3, 7], [10, 14, 11, 15]]]]),
    ),
    "space_to_depth": Case(
        lambda x: mb.space_to_depth(x=x, block_size=2),
        (np.float32([[[[0, 4, 1, 5], [8, 12, 9, 13]], [[2, 6, 3, 7], [10, 14, 11, 15]]]]),),
        lambda x: torch.arange(16.0).reshape(1, 8, 1, 2),
    ),
    # element by element
    **{op: unary(op, np.tanh(IMAGE) * 0.9) for op in ("acos", "asin", "atan", "atanh", "cosh", "sinh", "tan")},
}  # fmt: skip
