"""Numbers, percentiles, photos and tensors on which three languages have to agree."""

import base64
import json
import struct

import canonical
import numpy as np
from PIL import Image

from toolkit.datasets._preprocess import apply, preprocess_for

VALUES = """
0 -0.0 1 -1 12.5 0.1 0.0001 0.00001 1e-5 2.5e-7 5e-7 1.5e-6 0.0000005 123456.789 1234567.5 1e15 1e16 1e22
9007199254740993 0.3333333333333333 0.30000000000000004 1.7976931348623157e308 2.2250738585072014e-308 5e-324
5.684341886080802e-14 0.0078125 0.00390625 4.35 2.675 1.0000005 100000 -123.456 -1e-9 3.4028234663852886e38
0.07598495483398438 0.07098007202148438 623203260495222.8 -184699812978067.88
"""


def numbers() -> str:
    rows = [
        {"value": text, "report": canonical.number(float(text)), "id": repr(float(text))} for text in VALUES.split()
    ]
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


def percentiles() -> str:
    """Sorted or not, few or many: mean, population deviation, minimum and numpy's default percentiles."""
    random = np.random.default_rng(5)
    samples = [
        [3.5],
        [2.0, 1.0],
        [5.0, 1.0, 3.0],
        [1.0] * 7,
        [0.1, 0.2, 0.3, 0.4],
        random.gamma(2.0, 4.0, 101).round(4).tolist(),
    ]
    samples.append(random.lognormal(1.0, 1.0, 1000).round(4).tolist())
    rows = []
    for values in samples:
        p50, p90, p99 = np.percentile(values, [50, 90, 99]).tolist()
        row = {"values": values, "mean": float(np.mean(values)), "std": float(np.std(values)), "min": min(values)}
        rows.append(json.dumps({**row, "p50": p50, "p90": p90, "p99": p99}))
    return "[\n" + ",\n".join(rows) + "\n]\n"


def preprocessing() -> str:
    """Photos as base64 RGB rows, and what toolkit.datasets makes of them as base64 little-endian float32."""
    random = np.random.default_rng(6)
    cases = [
        ("shrink", (23, 31), (1, 8, 8), "stretch"),
        ("shrink-colour", (40, 30), (3, 12, 12), "stretch"),
        ("crop-wide", (19, 50), (3, 7, 9), "center-crop"),
        ("crop-tall", (64, 33), (1, 16, 16), "center-crop"),
        ("enlarge", (5, 6), (3, 11, 17), "stretch"),
        ("same", (8, 8), (3, 8, 8), "stretch"),
        ("one-pixel", (1, 1), (1, 4, 4), "center-crop"),
    ]
    rows = []
    for name, (height, width), shape, resize in cases:
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        how = preprocess_for(shape, resize=resize)
        made = apply(Image.fromarray(pixels), how)
        row = {"name": name, "width": width, "height": height, "rgb": base64.b64encode(pixels.tobytes()).decode()}
        row |= {"preprocess": how.model_dump(), "image": base64.b64encode(made.astype("<f4").tobytes()).decode()}
        rows.append(json.dumps(row))
    return "[\n" + ",\n".join(rows) + "\n]\n"


def safetensors_file(header: object, data: bytes, length: int | None = None) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data
