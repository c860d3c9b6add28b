"""Compressed weights. Up to iOS 17 they come as packed bytes with a `shape`, from iOS 18 on as typed tensors."""

import math

import numpy as np
import torch
from torch import Tensor

from ..values import room_for
from ..weights import unpack_bits
from ._arguments import whole


def constexpr_affine_dequantize(quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: Tensor) -> Tensor:
    """scale * (data - zero_point), either one for all or one per index of an axis."""
    along = [1] * quantized_data.dim()
    along[int(axis)] = -1
    zero, step = (value.float().reshape(along) if value.dim() else value.float() for value in (zero_point, scale))
    return step * (quantized_data.float() - zero)


def constexpr_blockwise_shift_scale(data: Tensor, scale: Tensor, offset: Tensor | None = None) -> Tensor:
    """scale * (data - offset), one of each per block; the blocks tile the tensor evenly."""
    shifted = data.float() if offset is None else data.float() - _spread(offset.float(), data.shape)
    return _spread(scale.float(), data.shape) * shifted


def constexpr_lut_to_dense(
    indices: Tensor, lut: Tensor, shape: Tensor | None = None, vector_axis: Tensor | None = None
) -> Tensor:
    """Replace palette indices by their values.

    iOS 16: indices are packed bytes, lut [palettes], shape [K]. iOS 18: indices [*size],
    lut [*groups, palettes, vector], where groups tile the sizes evenly and a vector unfolds along `vector_axis`.
    """
    if shape is not None:
        sizes = whole(shape)
        room_for(sizes, "A weight")
        bits = (len(lut) - 1).bit_length()
        return lut[_bits(indices, bits, math.prod(sizes)).long()].reshape(sizes)
    palettes, vector = lut.shape[-2:]
    sizes = list(indices.shape)
    table_of_group = torch.arange(lut.shape[:-2].numel()).reshape(lut.shape[:-2])
    rows = _spread(table_of_group, sizes) * palettes + indices.long()
    room_for([*sizes, vector], "A weight")
    values = lut.reshape(-1, vector)[rows]  # [*size, vector]
    if vector == 1:
        return values.squeeze(-1)
    if vector_axis is None:
        raise ValueError("a palette of vectors without a vector_axis")
    at = int(vector_axis) % len(sizes)
    return values.movedim(-1, at + 1).flatten(at, at + 1)


def constexpr_sparse_to_dense(nonzero_data: Tensor, mask: Tensor, shape: Tensor | None = None) -> Tensor:
    """Values go where the mask has ones, row by row; zeros elsewhere."""
    if shape is not None:
        sizes = whole(shape)
        room_for(sizes, "A weight")
        mask = _bits(mask, 1, math.prod(sizes)).reshape(sizes)
    if int(mask.count_nonzero()) != len(nonzero_data):
        raise ValueError(f"{len(nonzero_data)} values for {int(mask.count_nonzero())} ones of the mask")
    dense = torch.zeros(mask.shape, dtype=nonzero_data.dtype)
    dense[mask != 0] = nonzero_data
    return dense


def constexpr_lut_to_sparse(
    indices_mask: Tensor, indices_nonzero_data: Tensor, lut: Tensor, vector_axis: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Palette values of a pruned weight: the mask, grown where vectors unfold, and the values of its ones."""
    indices = constexpr_sparse_to_dense(indices_nonzero_data, indices_mask)
    values = constexpr_lut_to_dense(indices, lut, vector_axis=vector_axis)
    vector = lut.shape[-1]
    if vector > 1 and vector_axis is not None:
        indices_mask = indices_mask.repeat_interleave(vector, int(vector_axis))
    return indices_mask, values[indices_mask != 0]


def constexpr_sparse_blockwise_shift_scale(
    data_mask: Tensor, nonzero_data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """constexpr_blockwise_shift_scale of a pruned weight: the mask, and the values of its ones."""
    dense = constexpr_blockwise_shift_scale(constexpr_sparse_to_dense(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask != 0]


def constexpr_cast(source_val: Tensor, output_dtype: str) -> Tensor:
    """float16 to float32: the values stay."""
    if output_dtype != "fp32":
        raise ValueError(f"output_dtype {output_dtype!r}")
    return source_val


def _bits(packed: Tensor, bits: int, count: int) -> Tensor:
    if bits not in (1, 2, 3, 4, 6, 8):
        raise ValueError(f"indices of {bits} bits")
    return torch.from_numpy(unpack_bits(np.asarray(packed), bits, count))


def _spread(values: Tensor, sizes: list[int] | torch.Size) -> Tensor:
    """Repeat one value per block to one value per element."""
    if values.dim() != len(sizes) or any(n % max(m, 1) for n, m in zip(sizes, values.shape, strict=True)):
        raise ValueError(f"blocks {list(values.shape)} do not tile {list(sizes)}")
    room_for(sizes, "A weight")
    for axis, (size, blocks) in enumerate(zip(sizes, values.shape, strict=True)):
        if blocks not in (1, size):
            values = values.repeat_interleave(size // blocks, axis)
    return values
