"""Package the tail as a .mar and the goldens beside it: what the cloud serves, and what proves parity."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from cloud_tail.archive import write_archive
from cloud_tail.signature import Signature

from ..errors import InputError, UnknownNameError
from ..inference import seeded
from ..protect.protected import load_protected
from ..protect.waist.tables import as_coding
from ..records import bundle as records
from ..records.tools import tool_versions
from ..records.wire import wire_spec
from .goldens import golden_images, write_goldens
from .int8_tail import int8_tail
from .limits import TOLERANCES
from .settings import PackageSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..bundle import Bundle

_VERSION = "1.0"
TAIL_PRECISIONS = ("fp32", "int8")


def package(
    bundle: Bundle,
    settings: PackageSettings | None = None,
    *,
    tell: Callable[[str], None] = lambda sentence: None,
    fingerprint: str = "",
) -> records.Tail:
    """Write the tail's archive and the goldens into the bundle.

    Args:
        bundle: protected.
        settings: see `PackageSettings`.
        tell: called with what the int8 tail's gate measured.
        fingerprint: remembered as this stage's.

    Raises:
        BundleError: the bundle is not protected yet, or cannot be written.
        InputError: an invalid name or precision, or an int8 tail that loses too much accuracy.
        ConverterError: the tail has an operator without ONNX form.
    """
    from converters.to_onnx import export_tail

    settings = settings or PackageSettings()
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", settings.name):
        raise InputError(
            f"{settings.name!r} is not a valid name for a tail; use letters, digits, - and _, a letter first."
        )
    if settings.tail_precision not in TAIL_PRECISIONS:
        raise UnknownNameError("tail precision", settings.tail_precision, TAIL_PRECISIONS)
    found = load_protected(bundle)
    images, labels = golden_images(bundle, settings.goldens, settings.photos, settings.data, tell)
    old = bundle.manifest
    wire = accepted_inputs(old)
    record = old.protection
    coding = None if record is None or record.waist is None else record.waist.coding
    with bundle.extending() as stage:
        goldens = stage.scratch("golden")
        golden = write_goldens(found, images, labels, old.preprocess, settings.seed, goldens, old)
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
            labels=tuple(old.labels) if len(old.labels) == old.split.logits.shape[1] else (),
            inputs=tuple(wire_spec(spec) for spec in wire),
            outputs=(wire_spec(old.split.logits),),
            coding=None if coding is None else as_coding(coding),
        )
        int8_model = None
        if settings.tail_precision == "int8":
            int8_model = work / "tail-int8.onnx"
            tell(str(int8_tail(found, old, model, int8_model, settings.max_tail_drop, settings.data)))
        write_archive(made / f"{settings.name}.mar", signature=signature, model=model, int8_model=int8_model)
        (archive,) = stage.keep(made, "tail")
        files = {Path(ref.path).stem: ref for ref in stage.keep(goldens, "golden")}
        tail = records.Tail(
            name=settings.name,
            archive=archive,
            route=f"/predictions/{settings.name}",
            wire_version=signature.wire_version,
            inputs=wire,
            outputs=[old.split.logits],
            coding=coding,
        )
        kept = records.Golden(
            n=golden.rows,
            seed=settings.seed,
            inputs=files["inputs"],
            expected=files["expected"],
            tolerances=TOLERANCES,
            secret_hex=None if golden.secret is None else golden.secret.hex(),
            messages=files.get("messages"),
        )
        bundle.commit(
            old.model_copy(
                update={
                    "tail": tail,
                    "golden": kept,
                    "tools": old.tools | tool_versions("onnx", "onnxruntime"),
                    "stages": old.stages | {"package": fingerprint},
                }
            )
        )
    return tail


def accepted_inputs(manifest: records.Manifest) -> list[records.TensorSpec]:
    """List every encoding of the smashed features that the tail takes: float32, float16, uint8."""
    plain = manifest.smashed
    half = plain.model_copy(update={"dtype": "float16"})
    codes = [] if manifest.protection is None else manifest.protection.wire_uint8
    return [plain, half, *codes]
