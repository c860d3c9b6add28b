"""Arguments that several commands take."""

from pathlib import Path
from typing import Annotated, get_args

import typer

BundleArgument = Annotated[Path, typer.Argument(help="Bundle folder.", show_default=False)]
NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NET",
        help="A built-in or torchvision name, package.module:factory, or a .pt2 file.",
        show_default=False,
    ),
]
InputOption = Annotated[str, typer.Option("--input", help="Channels x height x width of the network's input.")]
WeightsOption = Annotated[
    Path | None, typer.Option(help="Trained weights: .safetensors, or .pth holding tensors only.", show_default=False)
]
ClassesOption = Annotated[
    int | None, typer.Option(min=1, help="Number of classes; default: what the weights say.", show_default=False)
]
DataOption = Annotated[
    str | None,
    typer.Option(
        help="Where the photos are now; default: where they were when the bundle was protected.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def numbers(text: str | None) -> list[float] | None:
    """Read "0.5,0.5,0.5"; None stays None.

    Raises:
        InputError: not numbers.
    """
    from ..errors import InputError

    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{text!r} are not numbers separated by commas, such as 0.485,0.456,0.406.") from None


def one_of(kind: str, text: str, known: object) -> str:
    """Check that a text is one of a Literal's.

    Raises:
        UnknownNameError: it is not; lists them.
    """
    from ..errors import UnknownNameError

    if text not in get_args(known):
        raise UnknownNameError(kind, text, get_args(known))
    return text


def names(text: str) -> list[str]:
    """Read "a,b,c"."""
    return [part.strip() for part in text.split(",") if part.strip()]
