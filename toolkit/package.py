"""Package the tail as a .mar and the goldens beside it: what the cloud serves, and what proves parity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloud_tail.archive import write_archive
from cloud_tail.signature import WIRE_VERSION, Signature
from cloud_tail.signature import TensorSpec as WireSpec

from . import manifest as records
from .errors import InputError
from .goldens import golden_images, write_goldens
from .parity.limits import TOLERANCES
from .protected import load_protected, seeded
from .versions import tool_versions

if TYPE_CHECKING:
    from pathlib import Path

    from .bundle import Bundle

_VERSION = "1.0"


@dataclass(frozen=True)
class PackageSettings:
    """What a user chooses.

    Attributes:
        name: the tail's name in its URL.
        goldens: how many golden images.
        photos: take the goldens from this folder's photos instead of the data's test images.
        seed: of the goldens' eps.
    """

    name: str = "tail"
    goldens: int = 16
    photos: Path | None = None
    seed: int = 7


def package(bundle: Bundle, settings: PackageSettings | None = None, *, fingerprint: str = "") -> records.Tail:
    """Write the tail's archive and the goldens into the bundle.

    Raises:
        BundleError: the bundle is not protected yet, or cannot be written.
        InputError: a name that is none.
        ConverterError: the tail has an operator without ONNX form.
    """
    from converters.to_onnx import export_tail

    settings = settings or PackageSettings()
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", settings.name):
        raise InputError(f"{settings.name!r} is no name for a tail; use letters, digits, - and _, a letter first.")
    if settings.goldens < 1:
        raise InputError("A bundle needs at least one golden image; give --goldens-count 1 or more.")
    found = load_protected(bundle)
    images, labels = golden_images(bundle, settings.goldens, settings.photos)
    old = bundle.manifest
    wire = accepted_inputs(old)
    with bundle.extending() as stage:
        goldens = stage.scratch("golden")
        rows = write_goldens(found, images, labels, old.preprocess, settings.seed, goldens)
        work = stage.scratch("onnx")
        model = export_tail(
            found.split.tail,
            found.smash(images[:1], found.protection.draw_eps(1, seeded(settings.seed))),
            work / "tail.onnx",
        )
        made = stage.scratch("tail")
        signature = Signature(
            name=settings.name,
            version=_VERSION,
            bundle_id=old.compute_id(),
            labels=tuple(old.labels),
            inputs=tuple(_wire(spec) for spec in wire),
            outputs=(_wire(old.split.logits),),
        )
        write_archive(made / f"{settings.name}.mar", signature=signature, model=model)
        (archive,) = stage.keep(made, "tail")
        expected, inputs = stage.keep(goldens, "golden")
        tail = records.Tail(
            name=settings.name,
            archive=archive,
            route=f"/predictions/{settings.name}",
            wire_version=WIRE_VERSION,
            inputs=wire,
            outputs=[old.split.logits],
        )
        golden = records.Golden(n=rows, seed=settings.seed, inputs=inputs, expected=expected, tolerances=TOLERANCES)
        bundle.commit(
            old.model_copy(
                update={
                    "tail": tail,
                    "golden": golden,
                    "tools": old.tools | tool_versions("onnx", "onnxruntime"),
                    "stages": old.stages | {"package": fingerprint},
                }
            )
        )
    return tail


def accepted_inputs(manifest: records.Manifest) -> list[records.TensorSpec]:
    """List every encoding of the smashed features that the tail takes: float32, float16, uint8."""
    plain = manifest.split.smashed
    half = plain.model_copy(update={"dtype": "float16"})
    codes = [] if manifest.protection is None else [manifest.protection.wire_uint8]
    return [plain, half, *codes]


def _wire(spec: records.TensorSpec) -> WireSpec:
    return WireSpec(
        name=spec.name,
        dtype=spec.dtype,
        shape=tuple(spec.shape),
        layout=spec.layout,
        scale=None if spec.scale is None else tuple(spec.scale),
        zero_point=None if spec.zero_point is None else tuple(spec.zero_point),
    )
