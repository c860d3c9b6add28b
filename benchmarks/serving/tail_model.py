"""Exports the benchmark's tail, ResNet-18 from layer3 on (random weights), and packs it: needs torch.

    python benchmarks/serving/tail_model.py build/serving

leaves tail.onnx, tail-int8.onnx, bench.mar (both models), eager.mar (TorchServe's default: eager torch) and
weights.pt for the peers that run torch.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import torch
from net import CLASSES, SHAPE, features, make

from cloud_tail.archive import write_archive
from cloud_tail.signature import Signature, TensorSpec
from converters.to_onnx import tail_to_int8

BUNDLE = b"bench".hex().ljust(64, "0")


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
        model,
        (torch.from_numpy(features(2)),),
        dynamo=True,
        opset_version=20,
        verbose=False,
        input_names=["smashed"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
    )
    program.save(out / "tail.onnx", external_data=False)
    tail_to_int8(out / "tail.onnx", [features(8, seed) for seed in range(4)], out / "tail-int8.onnx")
    write_archive(out / "bench.mar", signature=signature(), model=out / "tail.onnx", int8_model=out / "tail-int8.onnx")
    here, manifest = (
        Path(__file__).parent,
        {"modelName": "tail", "handler": "torchserve_eager.py", "modelVersion": "1.0"},
    )
    settings = "minWorkers: 1\nmaxWorkers: 1\nbatchSize: 8\nmaxBatchDelay: 2\n"
    with zipfile.ZipFile(out / "eager.mar", "w") as archive:
        archive.writestr("model-config.yaml", settings)
        archive.writestr(
            "MAR-INF/MANIFEST.json",
            json.dumps({"runtime": "python", "model": {**manifest, "configFile": "model-config.yaml"}}),
        )
        archive.write(out / "weights.pt", "weights.pt")
        archive.write(here / "net.py", "net.py")
        archive.write(here / "peers" / "torchserve_eager.py", "torchserve_eager.py")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
