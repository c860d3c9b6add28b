"""Latency of a bundle's heads on this host: loading, first run and steady state apart, interleaved."""

from __future__ import annotations

import contextlib
import importlib.metadata
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from .. import plugins
from ..bundle import Bundle, now_utc
from ..errors import BundleError, InputError
from ..records.bundle import TensorSpec
from ..records.latency import LatencyReport, LatencyRow
from ..records.machine import condition_now, this_host
from ..records.progress import Progress, quiet
from .head_file import HeadFile
from .process import HeadProcess
from .profile import slowest_operators
from .timing import Effort, Timed, interleave

WARMUPS = 3


def measure_bundle(
    bundle: Bundle,
    *,
    threads: Sequence[int] = (1,),
    targets: Sequence[str] | None = None,
    precisions: Sequence[str] | None = None,
    effort: Effort | None = None,
    unprotected: Sequence[HeadFile] = (),
    profile: bool = False,
    progress: Progress = quiet,
) -> LatencyReport:
    """Time every head of a bundle that this machine can run, against each other.

    Args:
        bundle: with at least one converted head.
        threads: intra-op thread counts; each head is timed with each.
        targets: only these, or None for all.
        precisions: only these, or None for all.
        effort: how long; 50 runs and 5 s per head by default.
        unprotected: heads without the protection to time beside them, see `unprotected.py`.
        profile: also ask the runtimes which operators the time went to (a run of its own, after the timing).
        progress: called with (done, total, text).

    Raises:
        BundleError: no head that can run here.
        InputError: a thread count, target or precision that does not fit.
    """
    if not threads or min(threads) < 1:
        raise InputError("The thread counts must be whole numbers of at least 1; give them as --threads 1,2.")
    heads = [*choose_heads(bundle, targets, precisions), *unprotected]
    start = condition_now()
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_inputs(bundle, Path(folder))
        variants = [(head, count) for head in heads for count in threads]
        rows = time_heads(variants, inputs, effort or Effort(), progress)
        operators = []
        if profile:
            for head in heads[: len(heads) - len(unprotected)]:
                progress(1, 1, f"profile of {head.target} {head.precision}")
                operators.extend(slowest_operators(head, inputs[head.takes_eps]))
    return LatencyReport(
        bundle_id=bundle.manifest.bundle_id,
        created_utc=now_utc(),
        device=this_host(),
        start=start,
        end=condition_now(),
        rows=rows,
        operators=operators,
    )


def choose_heads(bundle: Bundle, targets: Sequence[str] | None, precisions: Sequence[str] | None) -> list[HeadFile]:
    """Pick the heads that a runtime on this machine can execute.

    Raises:
        BundleError: none can.
        InputError: the bundle has no such target or precision.
    """
    heads = bundle.manifest.heads
    if not heads:
        raise BundleError(f"{bundle.root} has no converted head yet; make some with: pripro convert {bundle.root}")
    _check_known("target", targets, {head.target for head in heads})
    _check_known("precision", precisions, {head.precision for head in heads})
    chosen, reasons = [], []
    for head in heads:
        if (targets and head.target not in targets) or (precisions and head.precision not in precisions):
            continue
        converter = plugins.target(head.target)()
        reason = converter.cannot_run(head.backend)
        if reason is not None:
            reasons.append(f"{head.target} {head.precision} {head.backend}: {reason}")
            continue
        plugins.check_installed(converter, f"Measuring the {head.target} head")
        takes_eps = any(spec.name == "eps" for spec in head.inputs)
        chosen.append(HeadFile("head", head.target, head.precision, head.backend, bundle.root / head.entry, takes_eps))
    if not chosen:
        why = "; ".join(reasons) or "no head has this target and this precision"
        raise BundleError(
            f"No chosen head of {bundle.root} can run on this machine ({why}); convert for another target."
        )
    return chosen


def _check_known(kind: str, asked: Sequence[str] | None, known: set[str]) -> None:
    unknown = sorted(set(asked or ()) - known)
    if unknown:
        raise InputError(f"The bundle has no head with {kind} {unknown[0]!r}; it has: {', '.join(sorted(known))}.")


def write_inputs(bundle: Bundle, folder: Path) -> dict[bool, Path]:
    """Write the inputs that heads are timed on: a real golden image where there is one.

    Returns:
        {takes eps: path of a safetensors file}.
    """
    manifest = bundle.manifest
    golden = load_file(bundle.path(manifest.golden.inputs)) if manifest.golden is not None else {}
    generator = np.random.default_rng(0)
    eps_specs = manifest.protection.eps if manifest.protection is not None else []
    image = _first(golden, "image", manifest.split.image, generator)
    paths = {False: folder / "image.safetensors", True: folder / "image-and-eps.safetensors"}
    save_file({"image": image}, paths[False])
    eps = {spec.name: _first(golden, spec.name, spec, generator) for spec in eps_specs}
    save_file({"image": image, **eps}, paths[True])
    return paths


def _first(golden: Mapping[str, Any], name: str, spec: TensorSpec, generator: np.random.Generator) -> Any:  # noqa: ANN401 - numpy array
    if name in golden:
        return np.ascontiguousarray(golden[name][:1], dtype=np.float32)
    return generator.standard_normal((1, *spec.shape[1:]), dtype=np.float32)


def time_heads(
    variants: Sequence[tuple[HeadFile, int]], inputs: Mapping[bool, Path], effort: Effort, progress: Progress
) -> list[LatencyRow]:
    """Open each (head, threads) in a process of its own and time them all, interleaved."""
    with contextlib.ExitStack() as stack:
        processes = []
        for head, count in variants:
            process = HeadProcess(head.label(count), head.target, head.entry, count)
            processes.append(stack.enter_context(process))
            process.begin(inputs[head.takes_eps])
        progress(0, 1, f"starting {len(processes)} runtimes")
        for process in processes:
            process.ready()
        opened = []
        for process in processes:
            # one at a time: loading and first run are figures too
            progress(0, 1, f"opening {process.label}")
            opened.append(process.open(WARMUPS))
        # a runtime that merely imitates its vendor's has no latency worth a row
        real = [index for index, info in enumerate(opened) if info["real_runtime"]]
        if not real:
            raise BundleError("None of the chosen heads can run on its own runtime here; convert for another target.")
        timed = interleave(
            [processes[index] for index in real], effort, progress, run_ms=[opened[index]["run_ms"] for index in real]
        )
    return [_row(*variants[index], opened[index], result) for index, result in zip(real, timed, strict=True)]


def _row(head: HeadFile, threads: int, opened: Mapping[str, Any], timed: Timed) -> LatencyRow:
    return LatencyRow(
        part=head.part,
        target=head.target,
        precision=head.precision,
        backend=head.backend,
        runtime=runtime_name(head.target),
        threads=threads,
        load_ms=opened["load_ms"],
        first_run_ms=opened["first_run_ms"],
        warmups=WARMUPS,
        **asdict(timed.summary),
        ratio_to_first=timed.ratio_to_first,
        peak_memory_bytes=opened["peak_memory_bytes"],
        flag=timed.flag,
    )


def runtime_name(target: str) -> str:
    """Name a target's runtime with its version."""
    package = plugins.target(target).runtime
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package
