"""Writes the noise fixtures beside this file: python tests/contract/noise/generate.py.

They are committed; a change of one bit would give every photo another message.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.package.noise import DENSITY, EDGE, key_stream, ln, memoised_eps, photo_key, standard_normal

HERE = Path(__file__).parent
BUNDLE = "0123456789abcdef" * 4


def main() -> None:
    """Write cases.json."""
    cases = {
        "schema_version": 1,
        "logarithms": _logarithms(),
        "tables": _tables(),
        "key_streams": _key_streams(),
        "normals": _normals(),
        "photos": _photos(),
    }
    lines = []
    for kind, part in cases.items():
        rows = "[\n" + ",\n".join(map(json.dumps, part)) + "\n]" if isinstance(part, list) else json.dumps(part)
        lines.append(f'"{kind}": {rows}')
    (HERE / "cases.json").write_text("{" + ",\n".join(lines) + "}\n")


def _bits(value: float) -> str:
    return struct.pack(">d", value).hex()


def _digest(values: np.ndarray, dtype: str) -> str:
    return hashlib.sha256(np.ascontiguousarray(values, dtype).tobytes()).hexdigest()


def _logarithms() -> list[dict[str, str]]:
    near = [1.0, 1 - 2**-53, 0.5, 0.7071067811865475, 0.7071067811865476, 2**-53, 3 * 2**-53, 1e-3]
    drawn = np.random.default_rng(1).random(24).tolist()
    return [{"x": _bits(x), "ln": _bits(ln(x))} for x in near + drawn]


def _tables() -> dict[str, Any]:
    some = (0, 1, 2, 3, 127, 254, 255, 256)
    return {
        "edge": {str(i): _bits(EDGE[i]) for i in some},
        "density": {str(i): _bits(DENSITY[i]) for i in some},
        "edge_sha256": _digest(np.array(EDGE), "<f8"),
        "density_sha256": _digest(np.array(DENSITY), "<f8"),
    }


def _key_streams() -> list[dict[str, Any]]:
    found = []
    for key, tensor in ((bytes(32), 0), (bytes(range(32)), 0), (bytes(range(32)), 1), (b"\xff" * 32, 3)):
        words = key_stream([key], tensor, 0, 200)[0]
        found.append(
            {
                "key": key.hex(),
                "tensor": tensor,
                "words": [f"{int(word):016x}" for word in words[:10]],
                "count": len(words),
                "sha256": _digest(words, "<u8"),
            }
        )
    return found


def _normals() -> list[dict[str, Any]]:
    found = []
    for key, tensor, count in ((bytes(range(32)), 0, 100_000), (bytes(range(1, 33)), 1, 5_000), (bytes(32), 0, 1)):
        found.append({"key": key.hex(), "tensor": tensor, **_told(standard_normal([key], count, tensor=tensor)[0])})
    return found


def _told(values: np.ndarray) -> dict[str, Any]:
    return {
        "count": values.size,
        "first": [f"{bits:08x}" for bits in values.ravel()[:8].view(np.uint32).tolist()],
        "sha256": _digest(values, "<f4"),
    }


def _photos() -> list[dict[str, Any]]:
    rng = np.random.default_rng(2)
    secrets = bytes(range(100, 132)), hashlib.sha256(b"another device").digest()
    image = rng.standard_normal((3, 4, 5)).astype(np.float32)
    image[0, 0, :4] = [0.0, -0.0, 1e-40, 3.4e38]
    other = image.copy()
    other[2, 3, 4] = np.nextafter(other[2, 3, 4], np.float32(9))
    grey = rng.standard_normal((1, 2, 2)).astype(np.float32)
    rows = [
        ("one-tensor", secrets[0], BUNDLE, image, [(4, 3, 5)]),
        ("last-bit-of-the-photo-differs", secrets[0], BUNDLE, other, [(4, 3, 5)]),
        ("another-device", secrets[1], BUNDLE, image, [(4, 3, 5)]),
        ("another-bundle", secrets[0], BUNDLE[::-1], image, [(4, 3, 5)]),
        ("two-tensors", secrets[0], BUNDLE, grey, [(7, 4), (2, 2, 2)]),
    ]
    found = []
    for name, secret, bundle, photo, shapes in rows:
        drawn = memoised_eps(secret, bundle, photo[None], shapes)
        found.append(
            {
                "name": name,
                "secret": secret.hex(),
                "bundle_id": bundle,
                "image": photo.astype("<f4").tobytes().hex(),
                "image_shape": list(photo.shape),
                "key": photo_key(secret, bundle, photo).hex(),
                "eps": [{"shape": list(shape), **_told(eps[0])} for shape, eps in zip(shapes, drawn, strict=True)],
            }
        )
    return found


if __name__ == "__main__":
    main()
