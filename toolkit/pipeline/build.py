"""The whole flow in one place; read this first.

    network -> partition -> protect -> convert -> package -> lint -> verify -> measure

Each stage has a fingerprint of everything that its result depends on: its own settings, the files it
reads, and the fingerprint of the stage before. A stage whose fingerprint is in the manifest is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .. import __version__
from ..bundle import MANIFEST, Bundle
from ..convert.heads import as_carried, convert, drop_heads, plan_heads
from ..errors import BundleError
from ..evaluate.privacy_meter import pi_meter
from ..lint.report import lint_bundle
from ..lint.rules import load_backends
from ..measure.heads import measure_bundle
from ..measure.settings import effort_of
from ..package import goldens
from ..package.tail import package
from ..partition.start import start
from ..protect.fuse import protect
from ..protect.protected import protection_class
from ..records.latency import LatencyReport
from ..records.lint import LintReport
from ..records.parity import ParityReport
from ..records.progress import Progress
from ..verify.report import verify_bundle
from .fingerprint import content_of, files_of, fingerprint

if TYPE_CHECKING:
    from .config import Deploy

Report = TypeVar("Report", LintReport, ParityReport, LatencyReport)


@dataclass(frozen=True)
class Built:
    """What a deploy.toml leads to."""

    bundle: Bundle
    lint: LintReport
    parity: ParityReport
    latency: LatencyReport


def run(config: Deploy, progress: Progress, tell: Callable[[str], None] = lambda sentence: None) -> Built:
    """Do everything that a deploy.toml describes, and only what is not done yet; `tell` is told what is removed."""
    bundle = build(config, progress, tell)
    # without a list of backends only what needs no second lowering, which takes minutes
    lint = _reported(
        bundle, "lint", LintReport, fingerprint(files_of(bundle), config.lint, load_backends()),
        lambda: lint_bundle(
            bundle, config.lint, lower=config.lint.backends is not None, progress=_part(progress, "lint")
        ),
    )  # fmt: skip
    progress(1, 1, "lint")
    parity = _reported(
        bundle, "verify", ParityReport, fingerprint(files_of(bundle)),
        lambda: verify_bundle(bundle, progress=_part(progress, "verify"))
    )  # fmt: skip
    progress(1, 1, "verify")
    timed = config.measure
    latency = _reported(
        bundle, "measure", LatencyReport, fingerprint(files_of(bundle), timed),
        lambda: measure_bundle(
            bundle, threads=timed.threads, effort=effort_of(quick=timed.quick),
            progress=_part(progress, "measure"),
        ),
    )  # fmt: skip
    progress(1, 1, "measure")
    return Built(bundle, lint, parity, latency)


def build(config: Deploy, progress: Progress, tell: Callable[[str], None] = lambda sentence: None) -> Bundle:
    """Bring a bundle to what a deploy.toml describes, up to its package, doing only what is not done yet.

    Raises:
        BundleError: a network cut, or a protection trained, by hand is there.
    """
    net, root = config.network, config.bundle
    targets, wire = config.convert.targets, config.convert.wire
    wanted = [head for target, kinds in targets.items() for head in plan_heads([target], kinds, wire=wire)]
    stamp = fingerprint(net, content_of(net.weights), content_of(net.labels), __version__)
    bundle = Bundle.open(root) if (root / MANIFEST).is_file() else None
    _refuse_work_by_hand(bundle)
    if bundle is None or not _done(bundle, "partition", stamp):
        progress(0, 1, f"partition {net.source} at {net.cut}")
        bundle = start(net, root, force=True, fingerprint=stamp)
    progress(1, 1, "partition")

    stamp = fingerprint(stamp, config.protect, protection_class(config.protect.method).revision)
    if not _done(bundle, "protect", stamp):
        protect(
            bundle,
            config.protect,
            progress=_part(progress, "protect"),
            resume=True,
            fingerprint=stamp,
            meter=pi_meter,
            tell=tell,
        )
    progress(1, 1, "protect")

    for name in drop_heads(bundle, wanted):
        tell(f"removed the {name} head, which an earlier run made and the file names no more")
    missing = [head for head in as_carried(bundle, wanted) if not _done(bundle, f"convert {head}", stamp)]
    if missing:
        convert(bundle, missing, progress=_part(progress, "convert"), fingerprint=stamp)
    progress(1, 1, "convert")

    stamp = fingerprint(stamp, config.package, content_of(config.package.photos), goldens.VERSION)
    if not _done(bundle, "package", stamp):
        progress(0, 1, "package tail and goldens")
        package(bundle, config.package, fingerprint=stamp)
    progress(1, 1, "package")
    return bundle


def _refuse_work_by_hand(bundle: Bundle | None) -> None:
    """A stage that a verb made has an empty fingerprint; heads, tail and goldens are soon made again, these are not.

    Raises:
        BundleError: the network was cut, or the protection trained, outside of a run.
    """
    for stage, what in (("partition", "was made by hand"), ("protect", "was protected by hand")):
        if bundle is not None and bundle.manifest.stages.get(stage) == "":
            raise BundleError(
                f"{bundle.root} {what}, not by pripro run, which would replace its protection and all that follows; "
                "go on with the single verbs there, name another bundle in the file, or remove that folder."
            )


def _done(bundle: Bundle, stage: str, stamp: str) -> bool:
    return bundle.manifest.stages.get(stage) == stamp


def _reported(bundle: Bundle, stage: str, kind: type[Report], stamp: str, make: Callable[[], Report]) -> Report:
    """Return the newest report of a kind if it is about exactly these files and settings, else make one.

    In a bundle that cannot be written to, it is made and not kept.
    """
    kept = bundle.newest_report(kind) if _done(bundle, stage, stamp) else None
    if kept is not None:
        return kept
    report = make()
    if bundle.can_report():
        bundle.add_report(report)
        bundle.note_stage(stage, stamp)
    return report


def _part(progress: Progress, stage: str) -> Progress:
    return lambda done, total, text: progress(done, total, f"{stage} {text}")
