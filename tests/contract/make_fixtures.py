"""Writes the fixtures that Python, Kotlin and Swift read: `python tests/contract/make_fixtures.py`."""

import copy
import json
import struct
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import canonical
from broken_records import BROKEN, refused_reports
from made_bundles import coded, full, minimal, several
from made_reports import device_parity, latency
from made_values import numbers, percentiles, preprocessing, safetensors_file

from toolkit.records import bundle as m

HERE = Path(__file__).parent


def main(out: Path = HERE) -> None:
    """Write all fixtures and their list into `out`."""
    entries: list[dict[str, Any]] = []

    def save(file: str, data: bytes, kind: str, verdict: str, **more: object) -> None:
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        (out / file).write_bytes(data)
        entries.append({"file": file, "kind": kind, "verdict": verdict, **more})

    def pretty(raw: object) -> bytes:
        return (json.dumps(raw, indent=2, ensure_ascii=False) + "\n").encode()

    for name, made in (("minimal", minimal()), ("full", full()), ("several-tensors", several())):
        data = (made.model_dump_json(indent=2) + "\n").encode()
        save(f"manifest/{name}.json", data, "manifest", "accept", bundle_id=made.bundle_id, why="as pripro writes it")
    raw_full = json.loads(full().model_dump_json())
    save(
        "manifest/full-respelled.json",
        json.dumps(raw_full, ensure_ascii=True).replace("1e+16", "1.0E16").encode(),
        "manifest",
        "accept",
        bundle_id=full().bundle_id,
        why="the same values on one line, escaped, numbers spelled differently: the id is the same",
    )
    save(
        "manifest/defaults-left-out.json",
        pretty(minimal().model_dump(exclude_defaults=True) | {"schema_version": m.SCHEMA_VERSION}),
        "manifest",
        "accept",
        bundle_id=minimal().bundle_id,
        why="keys that have a default in the schema may be absent; the id counts their defaults",
    )
    codes, whole_numbers = coded()
    save(
        "manifest/heads-with-codes.json",
        pretty(full().model_copy(update={"heads": [codes, whole_numbers]}).model_dump()),
        "manifest",
        "accept",
        bundle_id=full().bundle_id,
        why="heads that emit the wire's codes, uint8 or (Core ML) whole numbers in float32: the id is the same",
    )
    for name, (edit, mentions, why) in BROKEN.items():
        raw = copy.deepcopy(raw_full)
        edit(raw)
        save(f"manifest/{name}.json", pretty(raw), "manifest", "refuse", mentions=mentions, why=why)
    whole = pretty(raw_full)
    save(
        "manifest/cut-short.json", whole[: len(whole) // 2], "manifest", "refuse", mentions=["JSON"], why="half a file"
    )
    save("manifest/empty.json", b"", "manifest", "refuse", mentions=["JSON"], why="nothing in it")
    save("manifest/a-list.json", b"[]\n", "manifest", "refuse", mentions=["schema_version"], why="JSON, but no object")

    bundle_id = full().bundle_id
    for kind, report in (("latency", latency(bundle_id)), ("device-parity", device_parity(bundle_id))):
        text = canonical.dumps(report.model_dump()) + "\n"
        why = "canonical: reading and writing it gives the same bytes"
        save(f"reports/{kind}.json", text.encode(), kind, "accept", bundle_id=bundle_id, why=why)
    raw_latency = latency(bundle_id).model_dump()
    for name, (edit, mentions, why) in refused_reports(raw_latency).items():
        raw = copy.deepcopy(raw_latency)
        edit(raw)
        save(f"reports/latency-{name}.json", pretty(raw), "latency", "refuse", mentions=mentions, why=why)

    save("numbers.json", numbers().encode(), "numbers", "accept", why="how each double is spelled")

    save("percentiles.json", percentiles().encode(), "percentiles", "accept", why="what numpy says of some samples")
    save(
        "preprocess.json",
        preprocessing().encode(),
        "preprocess",
        "accept",
        why="bit for bit what Pillow makes of some photos",
    )

    rows = {"dtype": "F32", "shape": [2, 1, 2], "data_offsets": [0, 16]}
    label = {"dtype": "I64", "shape": [2], "data_offsets": [16, 32]}
    data = struct.pack("<4f", 0.0, 1.5, -2.25, 3.4028234663852886e38) + struct.pack("<2q", 7, -1)
    good = {"__metadata__": {"made": "by hand"}, "image": rows, "label": label}
    listed = [
        {"name": "image", "dtype": "F32", "shape": [2, 1, 2], "values": [0.0, 1.5, -2.25, 3.4028234663852886e38]},
        {"name": "label", "dtype": "I64", "shape": [2], "values": [7, -1]},
    ]
    save(
        "safetensors/good.safetensors",
        safetensors_file(good, data),
        "safetensors",
        "accept",
        tensors=listed,
        why="two tensors",
    )
    broken_tensors: dict[str, tuple[bytes, list[str], str]] = {
        "cut-short": (safetensors_file(good, data[:-1]), ["image", "label"][1:], "one byte is missing"),
        "trailing": (safetensors_file(good, data + b"x"), ["bytes"], "one byte too many"),
        "header-too-long": (safetensors_file(good, data, length=1 << 40), ["header"], "a header longer than the file"),
        "header-negative": (struct.pack("<q", -1) + b"{}", ["header"], "a length that is negative when read as signed"),
        "overlap": (
            safetensors_file({"image": rows, "label": {**label, "data_offsets": [8, 24]}}, data),
            ["label"],
            "two in one place",
        ),
        "wrong-size": (
            safetensors_file({"image": {**rows, "shape": [2, 1, 3]}, "label": label}, data),
            ["image"],
            "shape and bytes differ",
        ),
        "overflow": (
            safetensors_file({"image": {**rows, "shape": [1 << 31, 1 << 31, 4]}, "label": label}, data),
            ["image"],
            "a product beyond 64 bits",
        ),
        "wrong-dtype": (
            safetensors_file({"image": {**rows, "dtype": "BF16"}, "label": label}, data),
            ["BF16"],
            "a type not read here",
        ),
        "not-json": (struct.pack("<Q", 3) + b"{a}", ["header"], "a header that is no JSON"),
        "too-short": (b"\x01\x02", ["header"], "not even a length"),
    }
    for name, (blob, mentions, why) in broken_tensors.items():
        save(f"safetensors/{name}.safetensors", blob, "safetensors", "refuse", mentions=mentions, why=why)

    listing = "[\n" + ",\n".join("  " + json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]\n"
    (out / "fixtures.json").write_text(listing, encoding="utf-8")


if __name__ == "__main__":
    main()
