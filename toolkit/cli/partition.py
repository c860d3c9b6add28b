"""`pripro partition`: start a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._console import next_command, say, show_json, size
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
    resize: Annotated[str, typer.Option(help="stretch or center-crop.")] = "stretch",
    as_json: JsonOption = False,
) -> None:
    """Cut a trained network in head and tail, exact to the bit, and start a bundle with it."""
    from ..datasets._preprocess import preprocess_for
    from ..partition.network import load_network, parse_shape
    from ..partition.split import partition

    shape = parse_shape(image)
    preprocess = preprocess_for(shape, numbers(mean), numbers(std), resize)
    names = read_labels(labels)
    say(f"exporting and cutting {network} at {cut} ...")
    loaded = load_network(network, shape, weights, classes if classes is not None or names is None else len(names))
    bundle = partition(loaded, cut, out, preprocess=preprocess, labels=names, weights=weights)
    split = bundle.manifest.split
    if as_json:
        show_json({"bundle": str(out), "bundle_id": bundle.manifest.bundle_id, "split": split.model_dump()})
    else:
        total = split.head_macs + split.tail_macs
        crossing = "x".join(map(str, split.smashed.shape[1:]))
        count = 4
        for length in split.smashed.shape[1:]:
            count *= length
        typer.echo(
            f"{out}: head {split.head_macs / total:.0%} of the work, {split.head_parameters:,} parameters; "
            f"{crossing} crosses ({size(count)}); tail(head(x)) equals the network to the bit"
        )
    next_command(f"pripro protect {out} --method pripro --data SPEC --max-accuracy-drop 1%")


def read_labels(path: Path | None) -> list[str] | None:
    """Read class names, one a line.

    Raises:
        InputError: no such text file.
    """
    from ..errors import InputError

    if path is None:
        return None
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} is not a text file of class names, one a line.") from None
