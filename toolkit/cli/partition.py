"""`pripro partition`: start a bundle."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from ._console import next_command, say, show_json, show_text, size
from ._options import ClassesOption, InputOption, JsonOption, NetworkArgument, WeightsOption, numbers


def command(
    network: NetworkArgument,
    cut: Annotated[str, typer.Option(help="Cut point, as pripro cuts names it.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Bundle folder to make.", show_default=False)],
    weights: WeightsOption = None,
    image: InputOption = "3x224x224",
    classes: ClassesOption = None,
    labels: Annotated[Path | None, typer.Option(help="Text file, one class name a line.", show_default=False)] = None,
    mean: Annotated[str | None, typer.Option(help="Per channel; default: ImageNet's, or 0.5 for grey.")] = None,
    std: Annotated[str | None, typer.Option(help="Per channel; default: ImageNet's, or 0.5 for grey.")] = None,
    resize: Annotated[str, typer.Option(help="stretch, center-crop, shorter-side or pad.")] = "stretch",
    shorter_side: Annotated[
        int | None, typer.Option(help="Pixels, with --resize shorter-side, such as 256.", show_default=False)
    ] = None,
    interpolation: Annotated[str, typer.Option(help="bilinear, bicubic or nearest.")] = "bilinear",
    antialias: Annotated[bool, typer.Option(help="Antialias when a photo is made smaller.")] = True,
    order: Annotated[str, typer.Option(help="Of the channels: RGB or BGR.")] = "RGB",
    value_range: Annotated[int, typer.Option(help="1 (pixels from 0 to 1) or 255, before --mean.")] = 1,
    preprocess: Annotated[
        str | None,
        typer.Option(help="torchvision:NAME or timm:NAME: preprocess as that library does.", show_default=False),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Measure the network on these labelled photos, such as folder:DIR.", show_default=False),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Continue even if its accuracy on them is near chance.")
    ] = False,
    task: Annotated[
        str, typer.Option(help="classify, multilabel, embed, segment, heatmaps, regress, any; auto guesses.")
    ] = "auto",
    crossing: Annotated[int, typer.Option(help="How many tensors may cross at the cut, 1 to 4.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing bundle.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Cut a trained network into head and tail, exact to the bit, and start a bundle with it."""
    from ..partition.begin import refuse_existing
    from ..partition.settings import PartitionSettings
    from ..partition.start import start
    from ..records.settings import chosen

    settings = chosen(
        PartitionSettings,
        source=network,
        input=image,
        cut=cut,
        weights=weights,
        classes=classes,
        labels=labels,
        mean=numbers(mean, "--mean"),
        std=numbers(std, "--std"),
        resize=resize,
        shorter_side=shorter_side,
        interpolation=interpolation,
        antialias=antialias,
        order=order,
        value_range=value_range,
        preprocess=preprocess,
        data=data,
        anyway=anyway,
        task=task,
        crossing=crossing,
    )
    refuse_existing(out, force=force)
    say(f"exporting and cutting {network} at {cut} ...")
    bundle = start(settings, out, force=force)
    split = bundle.manifest.split
    manifest = bundle.manifest
    if manifest.task.guessed:
        say(
            f"task: {manifest.task.name}, guessed from what the network answers; accuracy means {manifest.task.metric} "
            "(--task names another)"
        )
    if mean is None and std is None and max(manifest.preprocess.mean) == 0.0:
        say(f"the network normalises its image itself: it gets pixels from 0 to {manifest.preprocess.value_range}")
    if as_json:
        show_json(
            {
                "bundle": str(out),
                "bundle_id": manifest.bundle_id,
                "task": manifest.task.model_dump(),
                "split": split.model_dump(),
            }
        )
    else:
        total = max(split.head_macs + split.tail_macs, 1)
        what = "x".join(map(str, split.smashed.shape[1:]))
        count = 4 * math.prod(split.smashed.shape[1:])
        show_text(
            f"{out}: head {split.head_macs / total:.0%} of the work, {split.head_parameters:,} parameters; "
            f"{what} crosses ({size(count)}); tail(head(x)) equals the network to the bit"
        )
    next_command(f"pripro protect {out} --method pripro --data SPEC --max-accuracy-drop 1%")
