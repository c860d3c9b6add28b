"""`pripro convert`: the head in the phones' formats."""

from __future__ import annotations

from typing import Annotated

import typer

from ._console import next_command, say, show_json, show_table, size
from ._options import BundleArgument, DataOption, JsonOption, names
from ._progress import share_bar


def command(
    bundle: BundleArgument,
    to: Annotated[
        str | None,
        typer.Option("--to", help="Targets, separated by commas; default: the usual phone formats and ONNX."),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="Precisions, separated by commas; each target makes those it has.")
    ] = "fp32",
    backend: Annotated[
        str | None, typer.Option(help="Delegate or backend; default: each target's own (XNNPACK for executorch).")
    ] = None,
    wire: Annotated[
        str, typer.Option(help="What the head hands out: float32 features, or uint8: the codes that cross the wire.")
    ] = "float32",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Convert the protected head, batch 1, and add it to the bundle."""
    from ..bundle import Bundle
    from ..convert.heads import convert, plan_heads
    from ..convert.settings import default_targets

    opened = Bundle.open(bundle)
    targets = list(default_targets()) if to is None else names(to, "--to")
    wanted = plan_heads(targets, names(precision, "--precision"), backend, wire)
    say(f"converting the head of {bundle} ...")
    with share_bar("convert") as bar:
        made = convert(opened, wanted, data=data, progress=bar)
    if as_json:
        show_json({"heads": [head.model_dump() for head in made]})
    else:
        rows = []
        for head in made:
            outside = (
                "" if head.ops_total is None or head.ops_delegated is None else head.ops_total - head.ops_delegated
            )
            total = sum(file.bytes for file in head.files)
            rows.append((head.target, head.precision, head.backend, size(total), outside, head.entry))
        show_table(("target", "precision", "backend", ">size", ">ops outside delegate", "file"), rows)
    next_command(f"pripro package {bundle}")
