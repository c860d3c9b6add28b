"""What crosses, and what it costs: bytes and accuracy of the wire's encodings on a bundle's own test images.

    python benchmarks/serving/wire_bits.py build/demo --draws 3 --out benchmarks/results/wire.json

float32 and uint8 go through the wire codec itself; 6 and 4 bit are an experiment: the same affine codes with
fewer levels, packed. All see the same noise, so their differences are the encodings' alone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cloud_tail.archive import open_archive
from cloud_tail.signature import TensorSpec
from cloud_tail.wire import dequantise, quantise
from toolkit.bundle import Bundle
from toolkit.datasets._data import load_data
from toolkit.inference import seeded
from toolkit.protect.protected import load_protected


def encodings(smashed: np.ndarray, spec: TensorSpec) -> dict[str, tuple[np.ndarray, bytes]]:
    """Name -> what the tail sees, and the bytes of the first item."""
    found = {"float32": (smashed, smashed[:1].tobytes())}
    half = smashed.astype(np.float16)
    found["float16"] = half.astype(np.float32), half[:1].tobytes()
    codes = quantise(smashed, spec)
    found["uint8"] = dequantise(codes, spec), codes[:1].tobytes()
    for bits in (6, 4, 3, 2):
        wider = 2 ** (8 - bits)
        scale = tuple(step * wider for step in spec.scale or ())
        narrow = replace(spec, scale=scale, zero_point=tuple(zero // wider for zero in spec.zero_point or ()))
        small = np.minimum(quantise(smashed, narrow), 2**bits - 1)
        planes = np.unpackbits(small[:1].reshape(-1, 1), axis=1)[:, 8 - bits :]
        found[f"{bits} bit"] = dequantise(small, narrow), np.packbits(planes).tobytes()
    return found


def photo_bytes(images: torch.Tensor, mean: list[float], std: list[float]) -> dict[str, float]:
    """Mean size of the photos themselves as PNG and JPEG (quality 90)."""
    sizes: dict[str, list[int]] = {"png": [], "jpeg": []}
    for image in images:
        pixels = image * torch.tensor(std).view(-1, 1, 1) + torch.tensor(mean).view(-1, 1, 1)
        array = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
        picture = Image.fromarray(array[0] if len(array) == 1 else array.transpose(1, 2, 0))
        for kind in sizes:
            stream = io.BytesIO()
            picture.save(stream, kind, **({"quality": 90} if kind == "jpeg" else {"optimize": True}))
            sizes[kind].append(stream.tell())
    return {kind: float(np.mean(found)) for kind, found in sizes.items()}


@torch.inference_mode()
def main() -> None:
    """Measure one bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    torch.set_num_threads(1)
    bundle = Bundle.open(given.bundle)
    manifest, found = bundle.manifest, load_protected(bundle)
    signature = open_archive(bundle.path(manifest.tail.archive)).signature
    spec = signature.encoding("uint8")
    test = load_data(manifest.protection.data.spec, manifest.preprocess).test
    right: dict[str, int] = {}
    sizes: dict[str, bytes] = {}
    errors: dict[str, list[float]] = {}
    for draw in range(given.draws):
        eps = found.protection.draw_eps(len(test.images), seeded(draw))
        smashed = found.smash(test.images, eps).numpy()
        for name, (seen, sent) in encodings(smashed, spec).items():
            answers = found.split.tail(torch.from_numpy(np.ascontiguousarray(seen))).argmax(1)
            right[name] = right.get(name, 0) + int((answers == test.labels).sum())
            errors.setdefault(name, []).append(float(np.sqrt(np.mean((seen - smashed) ** 2) / np.var(smashed))))
            sizes[name] = sent
    total = given.draws * len(test.images)
    rows = [
        {
            "encoding": name,
            "bytes": len(sizes[name]),
            "bytes_zlib": len(zlib.compress(sizes[name], 9)),
            "share_of_float32": len(sizes[name]) / len(sizes["float32"]),
            "accuracy": right[name] / total,
            "points_below_float32": 100 * (right["float32"] - right[name]) / total,
            "rms_error_share": float(np.mean(errors[name])),
        }
        for name in sizes
    ]
    result = {
        "rows": rows,
        "photo_bytes": photo_bytes(test.images[:200], manifest.preprocess.mean, manifest.preprocess.std),
        "images": len(test.images),
        "draws": given.draws,
        "cut": manifest.split.cut,
        "method": manifest.protection.method,
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{os.cpu_count()} cores",
        "versions": {name: version(name) for name in ("torch", "numpy", "pillow")},
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
