"""Manifests as pripro writes them, from a bundle that is only cut to one with everything."""

import hashlib
from typing import Any

from toolkit.records import bundle as m

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
