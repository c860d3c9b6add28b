"""Convert a bundle's protected head to the phones' formats, one commit per head."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from converters.base import Converter, HeadProgram, TensorSpec

from .. import plugins
from ..datasets._recorded import recorded_data
from ..errors import BundleError, UnknownNameError
from ..inference import seeded
from ..protect.protected import load_protected
from ..records import bundle as records
from ..records.progress import Progress, quiet
from ..records.wire import WIRES, HeadWire, known_wire, wire_spec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from converters.base import Conversion

    from ..bundle import Bundle

_CALIBRATION_IMAGES = 64
#: precisions whose numbers depend on photos
_CALIBRATED = ("int8",)


@dataclass(frozen=True)
class Wanted:
    """One head to make."""

    target: str
    precision: str
    backend: str
    wire: HeadWire = "float32"

    def __str__(self) -> str:
        codes = "" if self.wire == "float32" else f" {self.wire} wire"
        return f"{self.target} {self.precision} {self.backend}{codes}"


def converter(target: str) -> Converter:
    """Find an export target by name.

    Raises:
        UnknownNameError: lists the targets that exist.
    """
    return plugins.target(target)()


def plan_heads(
    targets: Sequence[str], precisions: Sequence[str], backend: str | None = None, wire: str = "float32"
) -> list[Wanted]:
    """Pair targets with precisions: every target gets those it has; each precision must exist in one of them.

    Raises:
        UnknownNameError: a target, precision, backend or wire that nothing here has.
        MissingExtraError: a target's package is not installed.
    """
    wanted: list[Wanted] = []
    known: set[str] = set()
    targets, precisions = tuple(dict.fromkeys(targets)), tuple(dict.fromkeys(precisions))
    carried = known_wire(wire)
    for target in targets:
        made_by = converter(target)
        plugins.check_installed(made_by, f"Converting to {target}")
        known.update(made_by.precisions)
        if backend is not None and backend not in made_by.backends:
            raise UnknownNameError(f"backend of {target}", backend, made_by.backends)
        chosen = backend or made_by.backends[0]
        offered = [precision for precision in precisions if precision in made_by.precisions]
        wanted += [Wanted(target, precision, chosen, carried) for precision in offered]
    for precision in precisions:
        if precision not in known:
            raise UnknownNameError(f"precision of {', '.join(targets)}", precision, known)
    for target in targets:
        if not any(head.target == target for head in wanted):
            raise UnknownNameError(f"precision of {target}", ", ".join(precisions), converter(target).precisions)
    return wanted


def convert(
    bundle: Bundle,
    wanted: Sequence[Wanted],
    *,
    data: str | None = None,
    progress: Progress = quiet,
    fingerprint: str = "",
) -> list[records.Head]:
    """Convert each wanted head; a head of the same target, precision and backend is replaced, whatever its wire.

    Only int8 needs photos, to calibrate on: those that the bundle was protected with, or those that `data` names.

    Raises:
        BundleError: not protected yet, or not writable.
        ConverterError: a head cannot be expressed in a format; heads before it are kept.
    """
    program = head_program(bundle, photos=any(head.precision in _CALIBRATED for head in wanted), data=data)
    wanted = as_carried(bundle, wanted)
    made = []
    for number, head in enumerate(wanted):
        progress(number, len(wanted), f"{head}")
        made.append(_convert_one(bundle, program, head, fingerprint))
    progress(len(wanted), len(wanted), "converted")
    return made


def drop_heads(bundle: Bundle, wanted: Sequence[Wanted]) -> list[str]:
    """Remove heads that a run of the pipeline made and that it does not want any more; return their names.

    What a user converted by hand has no fingerprint, and stays.

    Raises:
        BundleError: not writable.
    """
    keep = {(head.target, head.precision, head.backend) for head in wanted}
    old = bundle.manifest
    gone: list[str] = []
    heads: list[records.Head] = []
    for head in old.heads:
        names = [f"convert {Wanted(*_key(head), wire)}" for wire in WIRES]
        if _key(head) in keep or not any(old.stages.get(name) for name in names):
            heads.append(head)
        else:
            gone += [name for name in names if name in old.stages]
    if gone:
        stages = {name: stamp for name, stamp in old.stages.items() if name not in gone}
        with bundle.extending():
            bundle.commit(old.model_copy(update={"heads": heads, "stages": stages}))
    return [name.removeprefix("convert ") for name in gone]


def as_carried(bundle: Bundle, wanted: Sequence[Wanted]) -> list[Wanted]:
    """Say how these heads hand out what crosses: heads with a waist always emit its codes."""
    record = bundle.manifest.protection
    narrow = record is not None and record.waist is not None
    return [replace(head, wire="uint8") if narrow else head for head in wanted]


def head_program(
    bundle: Bundle, wire: HeadWire = "float32", *, photos: bool = True, data: str | None = None
) -> HeadProgram:
    """What converters are given: the protected head with images to calibrate with.

    Args:
        bundle: a protected one.
        wire: how the head hands its features out.
        photos: whether real ones are needed; noise of the input's shape does for tracing.
        data: where the photos are now.

    Raises:
        BundleError: not protected yet.
        MovedDataError: the photos are needed and not where they were.
    """
    found = load_protected(bundle)
    images = _calibration(bundle, data) if photos else _noise(bundle)
    eps = found.protection.draw_eps(1, seeded(3))
    program = HeadProgram(found.split.head, found.protection, images[:1], eps, [image[None] for image in images])
    return _handing_out(program, bundle, wire)


def _handing_out(program: HeadProgram, bundle: Bundle, wire: HeadWire) -> HeadProgram:
    return replace(program, wire=None if wire == "float32" else _codes(bundle))


def _calibration(bundle: Bundle, given: str | None) -> Tensor:
    """Real images for int8: victim-train ones; noise where the bundle was protected without data."""
    data = recorded_data(bundle.manifest, given)
    return _noise(bundle) if data is None else data.victim_train.photos[:_CALIBRATION_IMAGES]


def _noise(bundle: Bundle) -> Tensor:
    import torch

    return torch.randn(8, *bundle.manifest.split.image.shape[1:], generator=seeded(0))


def _convert_one(bundle: Bundle, program: HeadProgram, wanted: Wanted, fingerprint: str) -> records.Head:
    with bundle.extending() as stage:
        out = stage.scratch("head")
        carried = _handing_out(program, bundle, wanted.wire)
        conversion = converter(wanted.target).convert(carried, out, precision=wanted.precision, backend=wanted.backend)
        if not (out / conversion.entry).exists():
            raise BundleError(f"Converting to {wanted} left no {conversion.entry}; nothing was added to the bundle.")
        record = _record(bundle.root, stage.keep(out, f"head/{wanted.target}"), wanted, conversion)
        old = bundle.manifest
        others = [head for head in old.heads if _key(head) != _key(record)]
        heads = sorted([*others, record], key=_key)
        replaced = {f"convert {replace(wanted, wire=wire)}" for wire in WIRES}
        stages = {name: stamp for name, stamp in old.stages.items() if name not in replaced}
        stages |= {f"convert {wanted}": fingerprint}
        bundle.commit(
            old.model_copy(update={"heads": heads, "stages": stages, "tools": old.tools | dict(conversion.tools)})
        )
    return record


def _codes(bundle: Bundle) -> TensorSpec:
    """The very codes that the tail's uint8 encoding has; protecting calibrated them, or a waist has its own."""
    record = bundle.manifest.protection
    if record is None:
        raise BundleError(f"{bundle.root} is not protected yet; run: pripro protect {bundle.root} --method pripro")
    levels = None if record.waist is None else tuple(record.waist.coding.levels)
    return TensorSpec(**asdict(wire_spec(record.wire_uint8[0])), levels=levels)


def _key(head: records.Head) -> tuple[str, str, str]:
    return head.target, head.precision, head.backend


def _record(root: Path, files: list[records.FileRef], wanted: Wanted, conversion: Conversion) -> records.Head:
    folder = files[0].path.split("/")[:3]
    return records.Head(
        target=wanted.target,
        precision=wanted.precision,
        backend=wanted.backend,
        entry="/".join([*folder, conversion.entry]),
        files=files,
        inputs=[_spec(spec) for spec in conversion.inputs],
        outputs=[_spec(spec) for spec in conversion.outputs],
        ops_delegated=conversion.ops_delegated,
        ops_total=conversion.ops_total,
        not_run=conversion.not_run,
        tools=dict(conversion.tools),
    )


def _spec(spec: TensorSpec) -> records.TensorSpec:
    # through JSON, the form in which both are defined: it checks dtype and layout, and makes lists of tuples
    # the manifest says how many levels the codes have where it says how they are entropy-coded
    known = {name: value for name, value in asdict(spec).items() if name != "levels"}
    return records.TensorSpec.model_validate_json(json.dumps(known))
