"""The .mar: a zip that TorchServe runs as it is, and that our own servers read without trusting it.

    MAR-INF/MANIFEST.json    what TorchServe reads first
    SHA256SUMS               of every other member, for `sha256sum -c`
    signature.json           tensors, labels, bundle_id, wire version
    tail.onnx                the model; tail-int8.onnx beside it where one passed its accuracy gate
    model-config.yaml        TorchServe's batching
    pripro_handler.py        TorchServe's entry; our servers never run code from an archive
    pripro_tail/*.py         the wire parser, the same files as in this package

The bytes depend on the content alone (members stored, in this order, dated 1980), so an archive is
accepted only if packing its members again gives the same file: it cannot contain a compressed, linked, hidden,
duplicate or overlapping member, and every unzip tool sees what was verified here.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .errors import ArchiveError
from .signature import Signature

MODEL, INT8_MODEL = "tail.onnx", "tail-int8.onnx"
_MANIFEST, _SUMS, _SIGNATURE, _CONFIG = "MAR-INF/MANIFEST.json", "SHA256SUMS", "signature.json", "model-config.yaml"
_HANDLER = "pripro_handler.py"
_CODE = {
    _HANDLER: "handler.py",
    "pripro_tail/__init__.py": "__init__.py",
    "pripro_tail/errors.py": "errors.py",
    "pripro_tail/coding.py": "coding.py",
    "pripro_tail/coder.py": "coder.py",
    "pripro_tail/signature.py": "signature.py",
    "pripro_tail/wire.py": "wire.py",
    "pripro_tail/server_codec.py": "server_codec.py",
    "pripro_tail/messages.py": "messages.py",
    "pripro_tail/calls.py": "calls.py",
}
_REQUIRED = (_MANIFEST, _SUMS, _SIGNATURE, _CONFIG, MODEL, _HANDLER)
#: an archive made by another version has other modules for TorchServe; our servers do not run them
_MODULE = re.compile(r"pripro_tail/[a-z_][a-z0-9_]{0,30}\.py")
_MAX_BYTES = 2 << 30
_SMALL = 1 << 20
_TORCHSERVE_CONFIG = "minWorkers: 1\nmaxWorkers: 1\nbatchSize: 8\nmaxBatchDelay: 2\nresponseTimeout: 60\n"


@dataclass(frozen=True)
class Archive:
    """A verified archive in memory.

    Attributes:
        signature: what its model takes and gives.
        model: tail.onnx.
        int8_model: tail-int8.onnx, or None.
        digest: SHA-256 of the archive file.
    """

    signature: Signature
    model: bytes
    int8_model: bytes | None
    digest: str


def write_archive(out: Path, *, signature: Signature, model: Path, int8_model: Path | None = None) -> None:
    """Write a .mar; equal content gives equal bytes.

    Args:
        out: the file to write, replaced atomically.
        signature: what the model takes and gives.
        model: one ONNX file, input `smashed` [-1,C,h,w], output `logits` [-1,K].
        int8_model: the same network in int8, if one passed its accuracy check.

    Raises:
        ArchiveError: a model is missing or keeps its weights in a second file.
    """
    members: dict[str, bytes] = {}
    members[_MANIFEST] = _json(
        {
            "createdOn": "01/01/1980 00:00:00",
            "runtime": "python",
            "model": {
                "modelName": signature.name,
                "serializedFile": MODEL,
                "handler": _HANDLER,
                "modelVersion": signature.version,
                "configFile": _CONFIG,
            },
            "archiverVersion": "0.12.0",
        }
    )
    members[_SIGNATURE] = signature.to_json()
    members[_CONFIG] = _TORCHSERVE_CONFIG.encode()
    members[MODEL] = _read_model(model)
    if int8_model is not None:
        members[INT8_MODEL] = _read_model(int8_model)
    here = Path(__file__).parent
    members.update({packed: (here / source).read_bytes() for packed, source in _CODE.items()})
    members[_SUMS] = _sums(members)
    _replace(out, _pack(members))


def open_archive(path: Path) -> Archive:
    """Verify an archive in memory; nothing is written to disk and none of its code runs.

    Raises:
        ArchiveError: the file is not a .mar of this project, is damaged or is hostile.
    """
    data = _read(path)
    members = _unpack(data, path)
    if members[_SUMS] != _sums(members):
        raise ArchiveError(
            f"{path} was changed: SHA256SUMS does not match its members; pack it again with pripro package."
        )
    if _pack(members) != data:
        raise ArchiveError(
            f"{path} contains more than its members (a different zip layout); pack it again with pripro package."
        )
    for name in (MODEL, INT8_MODEL):
        if name in members:
            _refuse_outside_data(members[name], f"{path}: {name}")
    signature = Signature.from_json(members[_SIGNATURE])
    _check_manifest(members[_MANIFEST], signature, path)
    return Archive(signature, members[MODEL], members.get(INT8_MODEL), hashlib.sha256(data).hexdigest())


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ArchiveError(f"{path} is not a file; give a .mar made by pripro package.")
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
    if len(data) > _MAX_BYTES:
        raise ArchiveError(f"{path} is larger than {_MAX_BYTES >> 30} GiB, the limit; use a smaller tail.")
    return data


def _unpack(data: bytes, path: Path) -> dict[str, bytes]:
    """Read the expected members; their sizes are checked against the file's before anything is allocated."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            infos = zipped.infolist()
            for info in infos:
                _check_member(info, len(data), path)
            names = [info.filename for info in infos]
            if len(set(names)) != len(names):
                raise ArchiveError(f"{path} contains a member twice; pack it again with pripro package.")
            missing = [name for name in _REQUIRED if name not in names]
            if missing:
                raise ArchiveError(f"{path} lacks {', '.join(missing)}; it is not an archive made by pripro package.")
            return {info.filename: zipped.read(info) for info in infos}
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError, RuntimeError) as error:
        raise ArchiveError(f"{path} is not a readable .mar ({error}); copy it again or pack it again.") from None


def _check_member(info: zipfile.ZipInfo, archive_bytes: int, path: Path) -> None:
    name = info.filename
    if name.startswith(("/", "\\")) or ".." in name or "\\" in name or ":" in name or "\0" in info.orig_filename:
        raise ArchiveError(f"{path} has a member that would leave its folder ({name[:80]!r}); do not use this file.")
    if (info.external_attr >> 16) & 0o170000 not in (0, 0o100000):
        raise ArchiveError(f"{path} contains a link or special file ({name[:80]!r}); do not use this file.")
    if name not in _REQUIRED and name != INT8_MODEL and not _MODULE.fullmatch(name):
        raise ArchiveError(
            f"{path} contains an unknown member ({name[:80]!r}); it is not an archive made by pripro package."
        )
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.file_size != info.compress_size:
        raise ArchiveError(
            f"{path}: {name} is compressed or encrypted, which hides its size; pack it again with pripro package."
        )
    if info.file_size > archive_bytes or (info.file_size > _SMALL and name not in (MODEL, INT8_MODEL)):
        raise ArchiveError(f"{path}: {name} claims {info.file_size} bytes, more than allowed; do not use this file.")


def _check_manifest(data: bytes, signature: Signature, path: Path) -> None:
    try:
        model = json.loads(data)["model"]
        named = model["modelName"], model["modelVersion"], model["handler"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ArchiveError(
            f"{path}: MAR-INF/MANIFEST.json is not TorchServe's; pack it again with pripro package."
        ) from None
    if named != (signature.name, signature.version, _HANDLER):
        raise ArchiveError(f"{path}: MANIFEST.json and signature.json disagree on name or version; pack it again.")


def _read_model(path: Path) -> bytes:
    if not path.is_file():
        raise ArchiveError(f"{path} is not a file; an archive needs the tail as one ONNX file.")
    data = path.read_bytes()
    _refuse_outside_data(data, str(path))
    return data


def _refuse_outside_data(model: bytes, where: str) -> None:
    """ONNX can refer to other files for its weights; the protobuf of such an entry starts with key = "location"."""
    if b"\x0a\x08location" in model:
        raise ArchiveError(f"{where} keeps its weights in another file; save the ONNX model as one file.")


def _sums(members: dict[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(members.items()) if name != _SUMS)
    return "".join(lines).encode()


def _pack(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as zipped:
        for name in sorted(members):  # MAR-INF/MANIFEST.json comes first
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            zipped.writestr(info, members[name])
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def _replace(path: Path, data: bytes) -> None:
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ArchiveError(
            f"{path} cannot be written ({error.strerror}); choose a folder that you may write to."
        ) from None
