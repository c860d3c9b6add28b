"""`pripro package`: the tail as an archive, and the goldens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._console import next_command, say, show_json, show_text, size
from ._options import BundleArgument, DataOption, JsonOption


def command(
    bundle: BundleArgument,
    name: Annotated[str, typer.Option(help="Name of the tail in its URL.")] = "tail",
    goldens: Annotated[
        Path | None, typer.Option(help="Take the golden images from this folder of photos.", show_default=False)
    ] = None,
    goldens_count: Annotated[int, typer.Option(min=1, help="How many golden images.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the goldens' noise.")] = 7,
    tail_precision: Annotated[str, typer.Option(help="fp32, or int8: an int8 tail beside the fp32 one.")] = "fp32",
    max_tail_drop: Annotated[
        str, typer.Option(help="Accuracy the int8 tail may lose on the validation images, such as 0.5%.")
    ] = "0.5%",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the tail's .mar and the goldens into the bundle."""
    from ..bundle import Bundle
    from ..package.settings import PackageSettings
    from ..package.tail import package
    from ..records.settings import chosen

    settings = chosen(
        PackageSettings,
        name=name,
        goldens=goldens_count,
        photos=goldens,
        data=data,
        seed=seed,
        tail_precision=tail_precision,
        max_tail_drop=max_tail_drop,
    )
    opened = Bundle.open(bundle)
    say(f"packaging the tail of {bundle} ...")
    tail = package(opened, settings, tell=say)
    if as_json:
        show_json({"tail": tail.model_dump(), "bundle_id": opened.manifest.bundle_id})
    else:
        show_text(
            f"{bundle / tail.archive.path}: {size(tail.archive.bytes)}, bundle_id {opened.manifest.bundle_id[:12]}"
        )
    next_command(f"pripro verify {bundle}")
