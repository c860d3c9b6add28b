"""Exports the benchmark's tail, ResNet-18 from layer3 on (random weights), and packs it: needs torch.

    python benchmarks/serving/tail_model.py build/serving

leaves tail.onnx, tail-int8.onnx, bench.mar (both models), eager.mar (TorchServe's default: eager torch) and
weights.pt for the peers that run torch.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from cloud_tail.archive import write_archive
from cloud_tail.signature import Signature, TensorSpec

SHAPE = (128, 28, 28)
CLASSES = 1000
BUNDLE = b"bench".hex().ljust(64, "0")


class Block(nn.Module):
    """ResNet's basic block: two 3x3 convolutions around a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside),
        )  # fmt: skip
        plain = inside == outside and stride == 1
        self.short = (
            nn.Identity()
            if plain
            else nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.short(x))


def make() -> nn.Module:
    """ResNet-18's layer3, layer4, pooling and classifier; the same weights every time."""
    torch.manual_seed(0)
    blocks = [Block(128, 256, 2), Block(256, 256, 1), Block(256, 512, 2), Block(512, 512, 1)]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES)).eval()


def features(n: int, seed: int = 0) -> np.ndarray:
    """Smashed data as a ReLU and noise leave it, float32 [n,128,28,28]."""
    rng = np.random.default_rng(seed)
    return (np.maximum(rng.standard_normal((n, *SHAPE)), 0) + 0.3 * rng.standard_normal((n, *SHAPE))).astype(np.float32)


class _Calibration(CalibrationDataReader):
    def __init__(self) -> None:
        self._left = iter([{"smashed": features(8, seed)} for seed in range(4)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


def signature() -> Signature:
    """Three encodings in, logits out."""
    shape = (-1, *SHAPE)
    codes = TensorSpec("smashed", "uint8", shape, "NCHW", (6.0 / 255,) * SHAPE[0], (64,) * SHAPE[0])
    inputs = (TensorSpec("smashed", "float32", shape), TensorSpec("smashed", "float16", shape), codes)
    return Signature("tail", "1.0", BUNDLE, (), inputs, (TensorSpec("logits", "float32", (-1, CLASSES), "NC"),))


def main(out: Path) -> None:
    """Write everything into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    model = make()
    torch.save(model.state_dict(), out / "weights.pt")
    program = torch.onnx.export(
        model, (torch.from_numpy(features(2)),), dynamo=True, opset_version=20, verbose=False,
        input_names=["smashed"], output_names=["logits"], dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
    )  # fmt: skip
    program.save(out / "tail.onnx", external_data=False)
    quant_pre_process(str(out / "tail.onnx"), str(out / "prepared.onnx"))
    quantize_static(
        str(out / "prepared.onnx"), str(out / "tail-int8.onnx"), _Calibration(), quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
    )  # fmt: skip
    write_archive(out / "bench.mar", signature=signature(), model=out / "tail.onnx", int8_model=out / "tail-int8.onnx")
    here = Path(__file__).parent
    with zipfile.ZipFile(out / "eager.mar", "w") as archive:
        archive.write(out / "weights.pt", "weights.pt")
        archive.write(here / "tail_model.py", "tail_model.py")
        archive.write(here / "peers" / "torchserve_eager.py", "torchserve_eager.py")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
