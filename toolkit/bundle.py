"""The bundle folder: every stage reads it, extends it, and an extension is there as a whole or not at all.

    manifest.json                                what is in here; replaced last, in one rename
    model/<hash>/program.pt2                     the exported network
    protection/<hash>/weights.safetensors        what is fused behind the head
    head/<target>/<hash>/...                     converted heads
    tail/<hash>/<name>.mar                       the cloud's half
    golden/<hash>/{inputs,expected}.safetensors  real inputs, fixed eps, expected answers
    reports/*.json, report.html                  added to, never part of the bundle's identity

Files never change once they have their final place: a stage writes new ones under a name that carries
their hash, then swaps the manifest, then sweeps what the new manifest no longer names. A stage that is
killed anywhere leaves the old manifest with all of its files.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from .errors import BundleError
from .records.bundle import SCHEMA_VERSION, FileRef, Manifest, Report

R = TypeVar("R", bound=Report)

MANIFEST = "manifest.json"
_STAGING = ".staging"
#: of every file in a bundle, as of the manifest: one account may make it, another serve it
_MODE = 0o644
#: bytes; with less than this free, a failed write is taken for a full disk
_NO_SPACE = 256 * 1024
_OWNED = ("model", "protection", "head", "tail", "golden")


def now_utc() -> str:
    """Return the present moment as the manifest writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256_of(path: Path) -> str:
    """Hash a file without reading it into memory at once."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside `path`, flush to the disk, then rename over it."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:  # about the file that people know
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(_MODE)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class Stage:
    """One extension in the making: files land in `folder` first."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self.folder = folder

    def scratch(self, name: str) -> Path:
        """Make an empty folder for a converter or a trainer to write into."""
        path = self.folder / name
        path.mkdir(parents=True)
        return path

    def keep(self, made: Path, room: str) -> list[FileRef]:
        """Move a scratch folder's content into the bundle under `room`/<hash>/ and describe its files."""
        entries = [(path.relative_to(made), sha256_of(path)) for path in sorted(made.rglob("*")) if path.is_file()]
        listing = "\n".join(f"{digest} {path.as_posix()}" for path, digest in entries)
        final = self._root / room / hashlib.sha256(listing.encode()).hexdigest()[:12]
        if not final.exists():
            final.parent.mkdir(parents=True, exist_ok=True)
            for path, _ in entries:
                (made / path).chmod(_MODE)  # some libraries write for the owner alone, and others serve and verify
            made.rename(final)
        return [
            FileRef(
                path=(final / path).relative_to(self._root).as_posix(),
                sha256=digest,
                bytes=(final / path).stat().st_size,
            )
            for path, digest in entries
        ]


class Bundle:
    """A bundle folder and its manifest as last read."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self.root = root
        self.manifest = manifest

    @classmethod
    def open(cls, root: Path) -> Bundle:
        """Read and check a bundle's manifest.

        Raises:
            BundleError: no bundle there, or its manifest does not fit the schema.
        """
        path = root / MANIFEST
        if not path.is_file():
            raise BundleError(
                f"{root} is not a bundle (no {MANIFEST} in it); "
                f"make one with: pripro partition NET --cut NAME -o {root}"
            )
        return cls(root, parse_manifest(path.read_bytes(), str(path)))

    def path(self, ref: FileRef) -> Path:
        """Return where a file of the manifest lies.

        Raises:
            BundleError: it is not there.
        """
        path = self.root / ref.path
        if not path.is_file():
            raise BundleError(
                f"{path} is missing although the manifest names it; if another pripro has just replaced it, run this "
                "command again, else run the stage that makes it."
            )
        return path

    def check_files(self) -> None:
        """Compare every file with its hash.

        Raises:
            BundleError: a file is missing or was changed.
        """
        for ref in self.manifest.files():
            self.checked(ref)

    def checked(self, ref: FileRef) -> Path:
        """Return a file's path after comparing it with its hash.

        Raises:
            BundleError: it is missing or was changed.
        """
        path = self.path(ref)
        if sha256_of(path) != ref.sha256:
            raise BundleError(
                f"{path} was changed after it was made (its SHA-256 differs); run the stage that makes it again."
            )
        return path

    def add_report(self, report: Report) -> Path:
        """Write a report under reports/ and return its path; reports are added, never replaced.

        Raises:
            BundleError: the folder cannot be written to.
        """
        folder = self.root / "reports"
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        path = folder / f"{report.kind}-{stamp}.json"
        try:
            folder.mkdir(exist_ok=True)
            write_atomically(path, (report.model_dump_json(indent=1) + "\n").encode())
        except OSError as error:
            raise BundleError(
                f"{path} cannot be written ({error.strerror}); give yourself the right to write there, or free space."
            ) from None
        return path

    def newest_report(self, kind: type[R]) -> R | None:
        """Return the newest report of a kind that is about this bundle as it is now, or None."""
        name = kind.model_fields["kind"].default
        for path in sorted((self.root / "reports").glob(f"{name}-[0-9]*.json"), reverse=True):
            with contextlib.suppress(OSError, ValidationError):
                report = kind.model_validate_json(path.read_bytes())
                if report.bundle_id == self.manifest.bundle_id:
                    return report
        return None

    def note_stage(self, stage: str, fingerprint: str) -> None:
        """Remember a finished stage that changed no file of the bundle."""
        with self.extending():
            self.commit(self.manifest.model_copy(update={"stages": self.manifest.stages | {stage: fingerprint}}))

    @contextlib.contextmanager
    def extending(self) -> Iterator[Stage]:
        """Give a stage a place to write; call `commit` inside to make it count.

        Raises:
            BundleError: another process is writing, or has written since this bundle was read: what the stage would
                build on is no longer there.
        """
        with _staging(self.root) as stage:
            if Bundle.open(self.root).manifest != self.manifest:
                raise BundleError(
                    f"Another pripro changed {self.root} after this command had read it; nothing was written, "
                    "run the command again."
                )
            yield stage

    def can_report(self) -> bool:
        """Whether `add_report` may write; a result can be shown all the same."""
        folder = self.root / "reports"
        return os.access(folder if folder.is_dir() else self.root, os.W_OK | os.X_OK)

    def commit(self, manifest: Manifest) -> None:
        """Swap the manifest, then sweep files that it no longer names."""
        final = manifest.with_id()
        _write_manifest(self.root, final)
        self.manifest = final
        _sweep(self.root, final)


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Turn manifest.json's bytes into a Manifest.

    Raises:
        BundleError: not JSON, of another schema version, with unknown keys, or with an id that does not fit.
    """
    try:
        raw = json.loads(data)
    except ValueError as error:
        raise BundleError(f"{where} is not JSON ({error}); restore it or start again with pripro partition.") from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{where} has schema_version {version!r}, this pripro reads {SCHEMA_VERSION}; "
            "use the pripro that made it, or make it again."
        )
    try:
        manifest = Manifest.model_validate(raw, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BundleError(
            f"{where} does not fit the schema: {place}: {first['msg']}; restore it or make the bundle again."
        ) from None
    if manifest.bundle_id != manifest.compute_id():
        raise BundleError(
            f"{where} was edited: its bundle_id does not fit its content; restore it or make the bundle again."
        )
    return manifest


@contextlib.contextmanager
def creating(root: Path) -> Iterator[Stage]:
    """Give the first stage a place to write; `create` makes the bundle appear.

    Raises:
        BundleError: the folder holds something that is not a bundle.
    """
    refuse_foreign(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{root} cannot be made ({error.strerror}); choose a folder that you may write to.") from None
    with _staging(root) as stage:
        yield stage


def refuse_foreign(root: Path) -> None:
    """Refuse to touch what is not a bundle.

    Raises:
        BundleError: a file is there, or a folder that holds something else.
    """
    if root.exists() and not root.is_dir():
        raise BundleError(f"{root} is a file; name a new folder with -o.")
    empty = not root.exists() or all(path.name in (_STAGING, *_OWNED) for path in root.iterdir())
    if not empty and not (root / MANIFEST).exists():
        raise BundleError(f"{root} is not empty and is not a bundle; name a new folder with -o.")


def create(root: Path, manifest: Manifest) -> Bundle:
    """Write the first manifest of a bundle (or replace an older bundle's by a new start)."""
    bundle = Bundle(root, manifest)
    bundle.commit(manifest)
    return bundle


def remove_reports(root: Path) -> None:
    """Remove what was reported about the bundle that stood here before."""
    for path in [*(root / "reports").glob("*.json"), root / "report.html"]:
        path.unlink(missing_ok=True)


def _write_manifest(root: Path, manifest: Manifest) -> None:
    write_atomically(root / MANIFEST, (manifest.model_dump_json(indent=2) + "\n").encode())


@contextlib.contextmanager
def _staging(root: Path) -> Iterator[Stage]:
    with _locked(root):
        try:
            (root / _STAGING).mkdir(exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=root / _STAGING))
        except OSError as error:
            raise _not_writable(root, error) from None
        with _undone_on_failure(root):
            yield Stage(root, folder)


@contextlib.contextmanager
def _undone_on_failure(root: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        _sweep_unnamed(root)
        # libraries that write files wrap a full disk in errors of their own
        full = "No space left" in str(error) or shutil.disk_usage(root).free < _NO_SPACE
        if not full and not isinstance(error, OSError):
            raise
        reason = "No space left on the disk" if full else error.strerror if isinstance(error, OSError) else ""
        raise BundleError(
            f"Writing to {root} failed ({reason}); the bundle is as it was before, "
            "free some space or rights and try again."
        ) from error
    finally:
        shutil.rmtree(root / _STAGING, ignore_errors=True)


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold a lock on the folder itself; a process that dies lets go.

    A lock file would stay behind, or be removed and made anew, so that two processes hold two locks of one name.

    Raises:
        BundleError: another process holds it, or the folder cannot be opened.
    """
    try:
        folder = os.open(root, os.O_RDONLY)
    except OSError as error:
        raise _not_writable(root, error) from None
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BundleError(f"Another pripro is writing to {root}; wait for it to end, then try again.") from None
        yield
    finally:
        os.close(folder)


def _not_writable(root: Path, error: OSError) -> BundleError:
    return BundleError(f"{root} cannot be written to ({error.strerror}); choose a folder that you may write to.")


def _sweep_unnamed(root: Path) -> None:
    """Remove what a failed stage had moved to its final place before its manifest could be written."""
    try:
        manifest = parse_manifest((root / MANIFEST).read_bytes(), MANIFEST)
    except (OSError, BundleError):
        return
    _sweep(root, manifest)


def _sweep(root: Path, manifest: Manifest) -> None:
    named = {root / ref.path for ref in manifest.files()}
    for room in _OWNED:
        for path in [*sorted((root / room).rglob("*"), reverse=True), root / room]:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path.is_file() and path not in named:
                path.unlink()
