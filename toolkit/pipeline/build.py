"""The whole flow in one place; read this first.

    network -> partition -> protect -> convert -> package -> verify -> measure

Each stage has a fingerprint of everything that its result depends on: its own settings, the files it
reads, and the fingerprint of the stage before. A stage whose fingerprint is in the manifest is done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..bundle import MANIFEST, Bundle, sha256_of
from ..convert.heads import convert, plan_heads
from ..datasets._preprocess import preprocess_for
from ..package import goldens
from ..package.tail import PackageSettings, package
from ..partition.network import load_network, parse_shape
from ..partition.split import partition
from ..protect.fuse import ProtectSettings, protect
from ..protect.protected import protection_class
from .config import parse_share

if TYPE_CHECKING:
    from pathlib import Path

    from .config import Deploy

#: called with (stage, share done in [0, 1], text)
Progress = Callable[[str, float, str], None]


def build(config: Deploy, progress: Progress) -> Bundle:
    """Bring a bundle to what a deploy.toml describes, doing only what is not done yet."""
    net, root = config.network, config.bundle
    targets, wire = config.convert.targets, config.convert.wire
    wanted = [head for target, kinds in targets.items() for head in plan_heads([target], kinds, wire=wire)]
    stamp = fingerprint(net, _content(net.weights), _content(net.labels), __version__)
    bundle = Bundle.open(root) if (root / MANIFEST).is_file() else None
    if bundle is None or not _done(bundle, "partition", stamp):
        progress("partition", 0.0, f"{net.source} at {net.cut}")
        shape = parse_shape(net.input)
        network = load_network(net.source, shape, net.weights, net.classes)
        labels = net.labels.read_text(encoding="utf-8").split("\n") if net.labels else None
        how = preprocess_for(shape, net.mean, net.std, net.resize)
        bundle = partition(
            network, net.cut, root, preprocess=how, labels=labels, weights=net.weights, fingerprint=stamp
        )
    progress("partition", 1.0, "")

    stamp = fingerprint(stamp, config.protect, protection_class(config.protect.method).revision)
    if not _done(bundle, "protect", stamp):
        shares = {name: parse_share(getattr(config.protect, name)) for name in ("max_accuracy_drop", "min_pi")}
        chosen = config.protect.model_dump() | shares
        protect(bundle, ProtectSettings(**chosen), progress=_part(progress, "protect"), resume=True, fingerprint=stamp)
    progress("protect", 1.0, "")

    missing = [head for head in wanted if not _done(bundle, f"convert {head}", stamp)]
    if missing:
        convert(bundle, missing, progress=_part(progress, "convert"), fingerprint=stamp)
    progress("convert", 1.0, "")

    stamp = fingerprint(stamp, config.package, _content(config.package.photos), goldens.VERSION)
    if not _done(bundle, "package", stamp):
        progress("package", 0.0, "tail and goldens")
        made = config.package.model_dump() | {"max_tail_drop": parse_share(config.package.max_tail_drop)}
        package(bundle, PackageSettings(**made), fingerprint=stamp)
    progress("package", 1.0, "")
    return bundle


def fingerprint(*parts: Any) -> str:  # noqa: ANN401 (settings of any stage)
    """Hash whatever a stage depends on."""
    plain = [part.model_dump(mode="json") if hasattr(part, "model_dump") else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()


def _done(bundle: Bundle, stage: str, stamp: str) -> bool:
    return bundle.manifest.stages.get(stage) == stamp


def _content(path: Path | None) -> str | None:
    """Hash what a path holds, so that an edited file is seen."""
    if path is None or not path.exists():
        return None
    if path.is_file():
        return sha256_of(path)
    return fingerprint([(entry.name, sha256_of(entry)) for entry in sorted(path.glob("*")) if entry.is_file()])


def _part(progress: Progress, stage: str) -> Callable[[int, int, str], None]:
    return lambda done, total, text: progress(stage, done / max(total, 1), text)
