"""Writes the fixtures that Python, Kotlin and Swift read: `python tests/contract/make_fixtures.py`."""

import base64
import copy
import hashlib
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import canonical
import numpy as np
from PIL import Image

from toolkit.datasets._preprocess import apply, preprocess_for
from toolkit.records import bundle as m
from toolkit.records import latency as latency_records
from toolkit.records import machine
from toolkit.records import parity as parity_records

HERE = Path(__file__).parent
UTC = "2026-01-02T03:04:05Z"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ref(path: str, size: int = 12) -> m.FileRef:
    return m.FileRef(path=path, sha256=digest(path), bytes=size)


def tensor(name: str, shape: list[int], dtype: str = "float32", **more: Any) -> m.TensorSpec:
    return m.TensorSpec.model_validate({"name": name, "dtype": dtype, "shape": shape, **more})


def minimal() -> m.Manifest:
    """A bundle after `pripro partition`, and nothing else."""
    return m.Manifest(
        bundle_id="0" * 64,
        created_utc=UTC,
        tools={"pripro": "0.1.0"},
        model=m.Model(source="tiny", parameters=10, weights_sha256=None, program=ref("model/aa/program.pt2")),
        preprocess=m.Preprocess(channels=1, height=4, width=4, mean=[0.5], std=[0.25]),
        labels=[],
        split=m.Split(
            cut="body",
            image=tensor("image", [-1, 1, 4, 4]),
            crossing=[tensor("smashed", [-1, 2, 2, 2])],
            outputs=[tensor("logits", [-1, 3], layout="NC")],
            head_macs=1,
            tail_macs=2,
            head_parameters=4,
            tail_parameters=6,
        ),
    ).with_id()


def coding() -> m.Coding:
    """Two channels of codes: an uneven table of three, an even one of four."""
    return m.Coding(
        coder="rans-1",
        table_id="0123456789abcdef",
        precision_bits=4,
        levels=[3, 4],
        scale=[0.00001, 0.25],
        zero_point=[1, 2],
        tables=[[1, 13, 2], [4, 4, 4, 4]],
        pad_bytes=64,
    )


def full() -> m.Manifest:
    """Every optional part present; labels, scales and settings that are awkward to spell."""
    image, eps = tensor("image", [1, 3, 4, 4]), tensor("eps", [1, 2, 2, 2])
    smashed = tensor("smashed", [1, 2, 2, 2])
    wire = tensor("smashed", [-1, 2, 2, 2], "uint8", scale=[0.00001, 0.1], zero_point=[0, 255])
    head = m.Head(
        target="executorch",
        precision="fp32",
        backend="xnnpack",
        entry="head/executorch/bb/head.pte",
        files=[ref("head/executorch/bb/head.pte", 4096)],
        inputs=[image, eps],
        outputs=[smashed],
        ops_delegated=12,
        ops_total=12,
        not_run=None,
        tools={"executorch": "1.5.1"},
    )
    package = m.Head(
        target="coreml",
        precision="fp16",
        backend="all",
        entry="head/coreml/cc/head.mlpackage",
        files=[
            ref("head/coreml/cc/head.mlpackage/Manifest.json"),
            ref("head/coreml/cc/head.mlpackage/Data/model.mlmodel"),
        ],
        inputs=[image, eps],
        outputs=[smashed],
        ops_delegated=None,
        ops_total=None,
        not_run="Core ML runs on Apple systems only",
        tools={"coremltools": "9.0"},
    )
    base = minimal()
    photos = m.DataRef(spec="digits", digest=digest("photos"), photos=5000)
    return base.model_copy(
        update={
            "model": base.model.model_copy(
                update={"accuracy": 0.875, "weights_sha256": digest("weights"), "data": photos}
            ),
            "task": m.Task(name="classify", metric="top-1", guessed=False, settings={"classes": 5.0}),
            "preprocess": m.Preprocess(
                channels=3,
                height=4,
                width=4,
                resize="shorter-side",
                shorter_side=6,
                interpolation="bicubic",
                antialias=False,
                order="BGR",
                value_range=255,
                mean=[0.485, 0.456, 0.406],
                std=[0.229, 1.0, 1e16],
            ),
            "labels": ["cat", "café", 'a "quoted\\one"', "tab\tand\u007f/slash", "smile \U0001f600"],
            "protection": m.Protection(
                method="pripro",
                settings={"grid": 14.0, "note": "tuned", "max_drop": None},
                seed=7,
                data=photos,
                train="all",
                eps=[tensor("eps", [-1, 2, 2, 2])],
                noise="fresh",
                weights=ref("protection/dd/weights.safetensors"),
                trains_head=False,
                statistics={"mean_sigma": 1.5e-07},
                accuracy=m.AccuracyReport(
                    images=100, draws=4, unprotected=0.9, protected=0.89, metric="agreement", labelled=False
                ),
                wire_uint8=[wire],
                waist=m.Waist(
                    shape=[2, 2, 2], encoder_macs=64, decoder_macs=128, decoder_parameters=32, coding=coding()
                ),
                certificate=m.Certificate(
                    message_bits_mean=300.5,
                    message_bits_p99=400.0,
                    message_bits_max=512.0,
                    capacity_bits=None,
                    prior_mse=0.0625,
                    mse_bound=1e-05,
                    note="vacuous for a \u201cprior\u201d of one photo",
                ),
            ),
            "heads": [head, package],
            "tail": m.Tail(
                name="tail",
                archive=ref("tail/ee/tail.mar", 99999),
                route="/v2/models/tail/infer",
                wire_version=2,
                inputs=[tensor("smashed", [-1, 2, 2, 2]), wire],
                outputs=[tensor("logits", [-1, 5], layout="NC")],
                coding=coding(),
            ),
            "golden": m.Golden(
                n=2,
                seed=3,
                inputs=ref("golden/ff/inputs.safetensors"),
                expected=ref("golden/ff/expected.safetensors"),
                tolerances={"fp32": 0.0001, "int8": 20.0},
                secret_hex=digest("secret"),
                messages=ref("golden/ff/messages.safetensors"),
            ),
            "stages": {"partition": digest("partition")},
        }
    ).with_id()


def several() -> m.Manifest:
    """Two tensors cross, tokens on a grid among them, each with its own noise; the network has two outputs."""
    made = full()
    assert made.protection is not None
    tokens = tensor("smashed_1", [-1, 5, 3], layout="NTC", grid=[2, 2], prefix_tokens=1)
    codes = tokens.model_copy(update={"dtype": "uint8", "scale": [0.5], "zero_point": [128]})
    noise = tensor("eps_1", [-1, 5, 3], layout="NTC", grid=[2, 2], prefix_tokens=1)
    crossing = [*made.split.crossing, tokens]
    outputs = [*made.split.outputs, tensor("boxes", [-1, 4, 3], layout="NTC")]
    changed = {
        "eps": [*made.protection.eps, noise],
        "wire_uint8": [*made.protection.wire_uint8, codes],
        "train": "injector",
        "noise": "memoised",
        "waist": None,
        "certificate": None,
    }
    return made.model_copy(
        update={
            "split": made.split.model_copy(update={"crossing": crossing, "outputs": outputs}),
            "protection": made.protection.model_copy(update=changed),
            "heads": [],
            "tail": None,
            "golden": None,
        }
    ).with_id()


def coded() -> list[m.Head]:
    """The heads of `full`, converted with --wire uint8: their outputs carry the wire's scale and zero point."""
    made = full()
    assert made.protection is not None
    wire = made.protection.wire_uint8[0].model_copy(update={"shape": [1, 2, 2, 2]})
    kinds = ("uint8", "float32")
    return [
        head.model_copy(update={"outputs": [wire.model_copy(update={"dtype": kind})]})
        for head, kind in zip(made.heads, kinds, strict=True)
    ]


DEVICE = machine.Device(kind="android", model="Pixel 4", os="Android 10 (API 29)", cpu="arm64-v8a", cores=8)
START = machine.Condition(temperature_c=30.5, thermal_status="none", battery_percent=80.0)


def latency(bundle_id: str) -> latency_records.LatencyReport:
    common = {
        "target": "executorch",
        "precision": "fp32",
        "backend": "xnnpack",
        "runtime": "ExecuTorch 1.5.1",
        "threads": 2,
    }
    return latency_records.LatencyReport(
        bundle_id=bundle_id,
        created_utc=UTC,
        device=DEVICE,
        start=START,
        end=machine.Condition(thermal_status="light", battery_percent=79.0, load_average=1.25),
        rows=[
            latency_records.LatencyRow(
                part="head",
                **common,
                load_ms=41.25,
                first_run_ms=12.0,
                warmups=5,
                n=100,
                mean_ms=8.1234567,
                std_ms=0.000001,
                min_ms=7.5,
                p50_ms=8.0,
                p90_ms=9.125,
                p99_ms=10.0000005,
                ratio_to_first=1.0,
                peak_memory_bytes=123456789,
            ),
            latency_records.LatencyRow(
                part="network",
                **common,
                load_ms=None,
                first_run_ms=None,
                warmups=0,
                n=1,
                mean_ms=1234567.5,
                std_ms=0.0,
                min_ms=1e-07,
                p50_ms=0.1,
                p90_ms=100.0,
                p99_ms=1e6,
                flag='throttled: "severe" \\ 45 °C\n',
            ),
        ],
        operators=[
            latency_records.OperatorRow(
                target="executorch", precision="fp32", operator="conv2d", calls=3, total_ms=2.5, share=0.3125
            )
        ],
    )


def device_parity(bundle_id: str) -> parity_records.DeviceParityReport:
    image = struct.pack("<3f", 0.0, 0.5, -1.0)
    smashed = struct.pack("<4f", 1.0, -2.5, 3.4028234e38, 1e-30)
    common = {"target": "executorch", "precision": "fp32", "backend": "xnnpack", "runtime": "ExecuTorch 1.5.1"}
    return parity_records.DeviceParityReport(
        bundle_id=bundle_id,
        created_utc=UTC,
        device=DEVICE.model_copy(update={"kind": "ios", "model": "iPhone 15 / “test”"}),
        outputs=[
            parity_records.DeviceOutput(
                index=0,
                **common,
                image_sha256=hashlib.sha256(image).hexdigest(),
                eps_sha256="",
                smashed_base64=base64.b64encode(smashed).decode(),
                logits=[-1.5, 0.0, -1e-9, 12.3456789],
            ),
            parity_records.DeviceOutput(
                index=1,
                **common,
                image_sha256=hashlib.sha256(image).hexdigest(),
                eps_sha256=hashlib.sha256(smashed).hexdigest(),
                smashed_base64="",
                logits=None,
            ),
        ],
    )


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


Edit = Callable[[dict[str, Any]], None]


def put(path: str, value: object) -> Edit:
    """Return an edit that sets one nested value, "a.0.b" style."""
    *way, last = path.split(".")

    def edit(raw: dict[str, Any]) -> None:
        target: Any = raw
        for step in way:
            target = target[int(step)] if isinstance(target, list) else target[step]
        target[last] = value

    return edit


def drop(key: str) -> Edit:
    return lambda raw: raw.pop(key)


#: name -> (edit of full.json, words that the refusal mentions, why)
BROKEN: dict[str, tuple[Edit, list[str], str]] = {
    "unknown-key": (put("surprise", 1), ["surprise"], "an unknown key at the top"),
    "unknown-nested-key": (put("heads.0.surprise", 1), ["surprise"], "an unknown key inside a head"),
    "missing-key": (drop("split"), ["split"], "a required part is absent"),
    "missing-nullable-key": (
        lambda raw: raw["model"].pop("weights_sha256"),
        ["weights_sha256"],
        "null must be said, not left out",
    ),
    "schema-version-1": (put("schema_version", 1), ["schema_version"], "made by an earlier tool"),
    "schema-version-3": (put("schema_version", 3), ["schema_version"], "made by a later tool"),
    "schema-version-missing": (drop("schema_version"), ["schema_version"], "no version at all"),
    "schema-version-3-and-unknown-key": (
        lambda raw: raw.update(schema_version=3, surprise=1),
        ["schema_version"],
        "the version's message wins: a later schema has other keys",
    ),
    "edited-bundle-id": (put("bundle_id", digest("another")), ["bundle_id"], "an id of another bundle"),
    "edited-labels": (
        put("labels", ["dog", "cat", "a", "b", "c"]),
        ["bundle_id"],
        "labels swapped after the bundle was made",
    ),
    "edited-wire-scale": (
        put("protection.wire_uint8.0.scale", [0.00001, 0.2]),
        ["bundle_id"],
        "a wire code changed afterwards",
    ),
    "edited-table": (
        put("protection.waist.coding.tables", [[2, 12, 2], [4, 4, 4, 4]]),
        ["bundle_id"],
        "a frequency changed afterwards: the bytes would be decoded to other codes",
    ),
    "edited-noise": (put("protection.noise", "memoised"), ["bundle_id"], "another noise than the bundle's"),
    "nothing-crosses": (put("split.crossing", []), ["crossing"], "a cut that nothing crosses"),
    "five-cross": (
        lambda raw: raw["split"].update(crossing=raw["split"]["crossing"] * 5),
        ["crossing"],
        "more than four cross",
    ),
    "version-1-eps": (
        lambda raw: raw["protection"].update(eps=raw["protection"]["eps"][0]),
        ["eps"],
        "one tensor where a list must be",
    ),
    "frequency-zero": (
        put("protection.waist.coding.tables", [[0, 14, 2], [4, 4, 4, 4]]),
        ["tables"],
        "a code that cannot be said",
    ),
    "one-level": (put("protection.waist.coding.levels", [1, 4]), ["levels"], "a channel that says nothing"),
    "unknown-coder": (put("protection.waist.coding.coder", "zip"), ["coder"], "a byte format nobody has written down"),
    "table-id": (put("tail.coding.table_id", "0123"), ["table_id"], "not 8 bytes in lower-case hex"),
    "secret": (put("golden.secret_hex", "00"), ["secret_hex"], "not 32 bytes in lower-case hex"),
    "unknown-train": (put("protection.train", "tail"), ["train"], "a setting that does not exist"),
    "unknown-noise": (put("protection.noise", "none"), ["noise"], "a setting that does not exist"),
    "unknown-wire-version": (put("tail.wire_version", 3), ["wire_version"], "a wire that does not exist"),
    "value-range": (put("preprocess.value_range", 2), ["value_range"], "pixels count to 1 or to 255"),
    "no-photos": (put("protection.data.photos", 0), ["photos"], "data without a photo"),
    "grid-of-three": (put("split.crossing.0.grid", [2, 2, 2]), ["grid"], "a grid has a height and a width"),
    "path-dotdot": (put("heads.0.entry", "head/../../secrets"), ["entry"], "a path that leaves the bundle"),
    "path-absolute": (put("golden.inputs.path", "/etc/passwd"), ["path"], "a path that leaves the bundle"),
    "path-backslash": (put("golden.inputs.path", "golden\\inputs"), ["path"], "one separator only"),
    "path-empty-part": (put("golden.inputs.path", "golden//inputs"), ["path"], "two spellings of one path"),
    "bad-sha256": (put("model.program.sha256", "ABC"), ["sha256"], "not a SHA-256 in lower-case hex"),
    "negative-bytes": (put("tail.archive.bytes", -1), ["bytes"], "no file has fewer than 0 bytes"),
    "unknown-dtype": (put("split.crossing.0.dtype", "float64"), ["dtype"], "a type that the wire does not know"),
    "unknown-layout": (put("split.crossing.0.layout", "CHWN"), ["layout"], "a layout that the schema does not know"),
    "null-where-number": (put("preprocess.height", None), ["height"], "null where a number must be"),
    "two-channels": (put("preprocess.channels", 2), ["channels"], "photos are grey or RGB"),
    "list-where-object": (put("preprocess", []), ["preprocess"], "a list where an object must be"),
    "object-where-list": (put("heads", {}), ["heads"], "an object where a list must be"),
    "fraction-where-integer": (put("split.image.shape", [1, 3, 4.5, 4]), ["shape"], "a shape has whole numbers"),
    "tail-name": (put("tail.name", "../tail"), ["name"], "the name becomes part of an URL"),
}


def refused_reports(report: dict[str, Any]) -> dict[str, tuple[Edit, list[str], str]]:
    return {
        "unknown-key": (put("surprise", 1), ["surprise"], "an unknown key"),
        "wrong-kind": (put("kind", "privacy"), ["kind"], "a report of another kind"),
        "no-runs": (put("rows.0.n", 0), ["n"], "a row without a run"),
        "bad-part": (put("rows.0.part", "everything"), ["part"], "a part that the schema does not know"),
    }


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
