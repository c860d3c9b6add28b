"""Files of bundles that tests write by hand, and how a manifest refers to them."""

import hashlib
from pathlib import Path

from toolkit.records.bundle import FileRef


def stand_ins(out: Path) -> None:
    """Write what a served bundle has and nobody reads here: the network's program and the protection's weights."""
    for name in ("model/0/program.pt2", "protection/0/weights.safetensors"):
        (out / name).parent.mkdir(parents=True)
        (out / name).write_bytes(name.encode())


def ref(out: Path, path: Path) -> FileRef:
    """Refer to a file of the bundle `out`."""
    data = path.read_bytes()
    return FileRef(path=path.relative_to(out).as_posix(), sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
