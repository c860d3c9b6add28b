"""`pripro demo-app`: a bundle into the Android or the iOS demo."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ._console import next_command, show_json, show_text, size
from ._options import BundleArgument, JsonOption


class _Platform(StrEnum):
    android = "android"
    ios = "ios"


#: what a person does next, with the app's folder
_NEXT = {
    "android": "cd {app} && ./gradlew installDebug",
    "ios": "open {app}/*.xcodeproj",
}


def command(
    platform: Annotated[_Platform, typer.Argument(help="Which app.", show_default=False)],
    bundle: BundleArgument,
    app: Annotated[
        Path | None,
        typer.Option(help="The app's project folder; default: android_demo or ios_demo here.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the heads that the app can run, the goldens and the manifest into a demo app."""
    from ..bundle import Bundle
    from ..package.demo_app import copy_into_app

    folder = app if app is not None else Path(f"{platform.value}_demo")
    opened = Bundle.open(bundle)
    copied = copy_into_app(opened, platform.value, folder)
    if as_json:
        show_json({"app": str(folder), "bundle_id": opened.manifest.bundle_id, "copied": copied})
    else:
        for path in copied:
            show_text(f"{path}  {size((opened.root / path).stat().st_size)}")
    next_command(_NEXT[platform.value].format(app=folder))
