"""Writes the coder's fixtures beside this file: python tests/contract/coder/generate.py.

They are committed; a change of one byte is a new byte format, not a new fixture.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cloud_tail.coder import Coder
from cloud_tail.coding import Coding, frequencies, table_id

HERE = Path(__file__).parent


def main() -> None:
    """Write cases.json."""
    lists = {"messages": _messages(), "refused": _refused(), "refused_codings": _refused_codings()}
    parts = [f'"{kind}": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]" for kind, cases in lists.items()]
    (HERE / "cases.json").write_text('{"schema_version": 1,\n' + ",\n".join(parts) + "\n}\n")


def coding(tables: list[tuple[int, ...]], pad: int | None = None) -> Coding:
    """A coding whose steps and zero points are of no account here."""
    count = len(tables)
    levels = tuple(len(table) for table in tables)
    return Coding(table_id(tables), levels, (0.25,) * count, tuple(n // 2 for n in levels), tuple(tables), pad)


def _bell(levels: int, width: float) -> tuple[int, ...]:
    places = np.arange(levels) - levels / 2 + 0.3
    return frequencies(np.exp(-0.5 * (places / width) ** 2).tolist())


def _drawn(tables: list[tuple[int, ...]], places: int, rng: np.random.Generator) -> np.ndarray:
    rows = [rng.choice(len(table), places, p=np.asarray(table) / sum(table)) for table in tables]
    return np.stack(rows).astype(np.uint8)


def _messages() -> list[dict[str, Any]]:
    rng = np.random.default_rng(20261127)
    mixed = [_bell(16, 2.5), _bell(4, 0.8), _bell(64, 9.0), (16383, 1)]
    wide = [_bell(256, 40.0)] * 2
    skewed = [(16383, 1), (1, 16383), (8192, 8192)]
    plain = _drawn(mixed, 15, rng).reshape(4, 3, 5)
    rare = np.array([[1] * 6, [0] * 6, [0, 1] * 3], np.uint8).reshape(3, 2, 3)
    likely = np.array([[0] * 400, [1] * 400, [0] * 400], np.uint8).reshape(3, 20, 20)[:2]
    real = [_bell(int(levels), float(levels) / 6) for levels in rng.integers(4, 33, 12)]
    tokens = _drawn(mixed, 7, rng).T.reshape(7, 4)
    rows: list[tuple[str, Coding, tuple[int, ...], str, np.ndarray]] = [
        ("mixed", coding(mixed), (4, 3, 5), "NCHW", plain),
        ("one-code", coding([(4096, 4096, 8192)]), (1, 1, 1), "NCHW", np.full((1, 1, 1), 2, np.uint8)),
        ("every-code-of-256", coding(wide), (2, 16, 16), "NCHW", np.arange(512).astype(np.uint8).reshape(2, 16, 16)),
        ("only-rare-codes", coding(skewed), (3, 2, 3), "NCHW", rare),
        ("only-likely-codes-three-bytes", coding(skewed[:2]), (2, 20, 20), "NCHW", likely),
        ("real-size", coding(real), (12, 8, 8), "NCHW", _drawn(real, 64, rng).reshape(12, 8, 8)),
        ("tokens-channel-last", coding(mixed), (7, 4), "NTC", np.ascontiguousarray(tokens)),
        ("padded", coding(mixed, 64), (4, 3, 5), "NCHW", plain),
        ("padded-exactly", coding(mixed, len(Coder(coding(mixed), (4, 3, 5)).encode(plain))), (4, 3, 5), "NCHW", plain),
        ("padded-some-codes-replaced", coding(real, 280), (12, 8, 8), "NCHW", _drawn(real, 64, rng).reshape(12, 8, 8)),
        ("padded-all-codes-replaced", coding(skewed[:2], 3), (2, 2, 3), "NCHW", rare[:2]),
    ]
    found = []
    for name, how, shape, layout, codes in rows:
        coder = Coder(how, shape, layout)
        message = coder.encode(codes)
        found.append(
            {
                "name": name,
                "coding": how.to_dict(),
                "shape": list(shape),
                "layout": layout,
                "codes": codes.tobytes().hex(),
                "message": message.hex(),
                "decoded": coder.decode(message).tobytes().hex(),
            }
        )
    return found


def _refused() -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    tables = [_bell(16, 2.5), _bell(5, 1.0)]
    others = [_bell(16, 2.4), _bell(5, 1.1)]
    codes = _drawn(tables, 30, rng).reshape(2, 5, 6)
    good = Coder(coding(tables), (2, 5, 6)).encode(codes)
    padded = Coder(coding(tables, 48), (2, 5, 6)).encode(codes)
    length = len(padded.rstrip(b"\0"))
    flipped = bytes([*good[:9], good[9] ^ 4, *good[10:]])
    rows: list[tuple[str, bytes, int | None, str]] = [
        ("empty", b"", None, "there are not even the three bytes of a state"),
        ("two-bytes", good[:2], None, "there are not even the three bytes of a state"),
        ("state-too-small", b"\0" + good[1:], None, "a state is at least 65536"),
        ("truncated-by-one", good[:-1], None, "the last byte is missing"),
        ("truncated-to-half", good[: len(good) // 2], None, "half is missing"),
        ("trailing-zero", good + b"\0", None, "a byte too many, although it is zero"),
        ("trailing-byte", good + b"\x07", None, "a byte too many"),
        ("twice", good + good, None, "a second message follows"),
        ("one-bit-flipped", flipped, None, "the last state is not 65536"),
        ("other-tables", Coder(coding(others), (2, 5, 6)).encode(codes), None, "coded with other tables"),
        ("all-zeros", bytes(40), None, "a state is at least 65536"),
        ("all-ones", b"\xff" * 40, None, "the last state is not 65536, or bytes are left"),
        ("random", rng.bytes(40), None, "not a message"),
        ("padded-not-padded", good, 48, "the length is not pad_bytes"),
        ("padded-too-short", padded[:-1], 48, "the length is not pad_bytes"),
        ("padded-too-long", padded + b"\0", 48, "the length is not pad_bytes"),
        ("padded-not-with-zeros", padded[:-1] + b"\x01", 48, "what follows the stream is not zero"),
        ("padded-not-with-zeros-at-once", padded[:length] + b"\x80" + padded[length + 1 :], 48, "not zero"),
    ]
    return [
        {
            "name": name,
            "coding": coding(tables, pad).to_dict(),
            "shape": [2, 5, 6],
            "layout": "NCHW",
            "message": message.hex(),
            "why": why,
        }
        for name, message, pad, why in rows
    ]


def _refused_codings() -> list[dict[str, Any]]:
    good = coding([(8192, 8192), (4096, 4096, 8192)]).to_dict()
    rows: list[tuple[str, dict[str, Any], str]] = [
        ("unknown-coder", {"coder": "rans-2"}, "another byte format"),
        ("other-precision", {"precision_bits": 12}, "rans-1 has 14 bits"),
        ("sum", {"tables": [[8192, 8191], [4096, 4096, 8192]]}, "a table sums to 16384"),
        ("zero-frequency", {"tables": [[16384, 0], [4096, 4096, 8192]]}, "a frequency is at least 1"),
        ("levels-lie", {"levels": [2, 2]}, "a table has as many entries as levels"),
        ("one-level", {"levels": [1, 3], "tables": [[16384], [4096, 4096, 8192]]}, "2 to 256 levels"),
        ("channels-differ", {"scale": [0.25]}, "one scale per channel"),
        ("zero-point-too-large", {"zero_point": [2, 0]}, "a zero point is a code"),
        ("scale-not-positive", {"scale": [0.25, 0.0]}, "a step is positive"),
        ("other-table-id", {"table_id": "0123456789abcdef"}, "the id belongs to other tables"),
        ("pad-too-small", {"pad_bytes": 2}, "no message has fewer than 3 bytes"),
    ]
    found = []
    for name, change, why in rows:
        raw = {**good, **change}
        if "tables" in change:
            raw["table_id"] = table_id(raw["tables"])
        found.append({"name": name, "coding": raw, "why": why})
    return found


if __name__ == "__main__":
    main()
