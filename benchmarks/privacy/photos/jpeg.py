"""Accuracy against bytes when the photo itself is sent: the network on JPEG and WebP of the test photos.

    python benchmarks/privacy/photos/jpeg.py resnet

"scan" is the JPEG file without its headers and tables, which both sides could agree on once.
"""

import io
import json
import sys

import data
import numpy as np
import protect
import torch
from PIL import Image
from train import accuracy

SETTINGS = [("JPEG", quality) for quality in (5, 10, 20, 30, 50, 75, 90)]
SETTINGS += [("WebP", quality) for quality in (0, 10, 30, 50, 75)]


def scan(file: bytes) -> int:
    """Bytes of the entropy-coded data: what follows the start-of-scan segment, without the end marker."""
    start = file.index(b"\xff\xda")
    return len(file) - start - 2 - int.from_bytes(file[start + 2 : start + 4], "big") - 2


def main(network: str) -> None:
    torch.set_num_threads(1)
    part = data.part("test")
    head, tail = protect.split_network(network, protect.networks.CUTS[network][0])
    whole = torch.nn.Sequential(head, tail)
    rows = []
    for kind, quality in SETTINGS:
        sizes, scans, decoded = [], [], []
        for photo in part.photos.permute(0, 2, 3, 1).numpy():
            file = io.BytesIO()
            Image.fromarray(photo).save(file, kind, quality=quality, **({"optimize": True} if kind == "JPEG" else {}))
            sizes.append(len(file.getvalue()))
            scans.append(scan(file.getvalue()) if kind == "JPEG" else len(file.getvalue()))
            decoded.append(np.asarray(Image.open(file).convert("RGB")))
        photos = torch.from_numpy(np.stack(decoded).transpose(0, 3, 1, 2).copy())
        right = accuracy(whole, data.Part(photos, part.labels))
        row = {"kind": kind, "quality": quality, "bytes": sum(sizes) / len(sizes), "scan": sum(scans) / len(scans)}
        rows.append(row | {"accuracy": right})
        print(json.dumps(rows[-1]), flush=True)
    result = {"network": network, "accuracy": accuracy(whole, part), "rows": rows}
    (data.ROOT / f"{network}-jpeg.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
