"""Products, pooling, normalisation and resizing, which map whole feature maps: see test_coreml_reference_ops.py."""

from collections.abc import Callable

import numpy as np
import torch
from coreml_cases import Case, iOS18, normal
from coreml_programs import mb
from torch.nn import functional

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


MAPS: dict[str, list[Case] | Case] = {
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
}
