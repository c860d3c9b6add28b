"""Puts a bundle into a demo app: its manifest, the heads that the app can run, and its goldens."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from .. import plugins
from ..bundle import MANIFEST, Bundle, sha256_of
from ..errors import BundleError, InputError
from ..records.bundle import FileRef, Head

Platform = Literal["android", "ios"]

#: where an app keeps its bundle, and a part of the project that must already be there
_PLACES: dict[str, tuple[str, str]] = {
    "android": ("app/src/main/assets/bundle", "app/src/main"),
    "ios": ("App/Resources/bundle", "App"),
}


def runnable(head: Head, platform: Platform) -> bool:
    """Whether that app has a runtime for this head."""
    return head.backend in plugins.target(head.target).apps.get(platform, ())


def copy_into_app(bundle: Bundle, platform: Platform, app: Path) -> list[str]:
    """Replace the app's bundle as a whole; labels travel inside the manifest.

    Args:
        bundle: a packaged bundle.
        platform: whose heads to take.
        app: the project's folder, such as ``android_demo``.

    Returns:
        The paths that were copied, relative to the bundle, the manifest first.

    Raises:
        BundleError: no head for this app, no goldens, or a file that was changed.
        InputError: `app` is not that app's project.
    """
    place, must_exist = _PLACES[platform]
    if not (app / must_exist).is_dir():
        raise InputError(
            f"{app} is not the {platform} app's project (it has no {must_exist}); name its folder with --app."
        )
    refs = _wanted(bundle, platform)
    final = app / place
    aside, old = final.with_name(".bundle.new"), final.with_name(".bundle.old")
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        for ref in refs:
            _copy(bundle, ref, aside / ref.path)
        shutil.copyfile(bundle.root / MANIFEST, aside / MANIFEST)
        if final.exists():
            final.rename(old)
        aside.rename(final)
    except OSError as error:
        raise InputError(
            f"{final} cannot be written ({error.strerror}); free some space or get the rights, then try again."
        ) from error
    finally:
        if old.exists() and not final.exists():
            old.rename(final)
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return [MANIFEST, *(ref.path for ref in refs)]


def _wanted(bundle: Bundle, platform: Platform) -> list[FileRef]:
    manifest = bundle.manifest
    heads = [head for head in manifest.heads if runnable(head, platform)]
    if not heads:
        able = [name for name, kind in plugins.known_targets().items() if platform in kind.apps]
        raise BundleError(
            f"{bundle.root} has no head that the {platform} app can run; "
            f"make one with: pripro convert {bundle.root} --to {','.join(able)}"
        )
    if manifest.golden is None or manifest.tail is None:
        raise BundleError(f"{bundle.root} has no goldens and no tail yet; make them with: pripro package {bundle.root}")
    files = [ref for head in heads for ref in head.files]
    golden = [manifest.golden.inputs, manifest.golden.expected]
    return [*files, *golden, *([manifest.golden.messages] if manifest.golden.messages is not None else [])]


def _copy(bundle: Bundle, ref: FileRef, to: Path) -> None:
    source = bundle.path(ref)
    if not source.is_file():
        raise BundleError(f"{source} is missing although the manifest names it; run the stage that makes it again.")
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)
    if sha256_of(to) != ref.sha256:
        raise BundleError(
            f"{source} was changed after it was made (its SHA-256 differs); run the stage that makes it again."
        )
