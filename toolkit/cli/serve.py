"""`pripro serve`: the bundle's tail over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from ._options import BundleArgument


def command(
    context: typer.Context,
    bundle: BundleArgument,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8080,
) -> None:
    """Serve the bundle's tail. Further options go to the server: pripro serve BUNDLE -- --help lists them."""
    from cloud_tail.__main__ import main

    from ..bundle import Bundle
    from ..errors import BundleError

    opened = Bundle.open(bundle)
    opened.check_files()
    tail = opened.manifest.tail
    if tail is None:
        raise BundleError(f"{bundle} has no packaged tail yet; run: pripro package {bundle}")
    raise typer.Exit(
        main(["serve", str(opened.path(tail.archive)), "--host", host, "--port", str(port), *context.args])
    )
