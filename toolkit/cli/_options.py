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


def numbers(text: str | None, option: str) -> list[float] | None:
    """Read "0.5,0.5,0.5"; None stays None.

    Raises:
        InputError: not numbers, or not finite.
    """
    import math

    from ..errors import InputError

    if text is None:
        return None
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise InputError(
            f"{option} {text!r} does not fit; give numbers separated by commas, such as 0.485,0.456,0.406."
        )
    return found


def whole_numbers(text: str, option: str, least: int, most: int) -> list[int]:
    """Read "1,2" into each number once, in its place.

    Raises:
        InputError: not whole numbers from `least` to `most`.
    """
    from ..errors import InputError

    parts = [part.strip() for part in text.split(",")]
    # ASCII, since "\N{SUPERSCRIPT TWO}" is a digit that int() cannot read; so long, since int() refuses thousands
    fit = all(part.isascii() and part.isdecimal() and len(part) < 20 and least <= int(part) <= most for part in parts)
    if not fit:
        raise InputError(
            f"{option} {text!r} does not fit; give whole numbers from {least} to {most}, separated by commas."
        )
    return list(dict.fromkeys(map(int, parts)))


def pairs(given: list[str] | None, option: str, form: str, example: str) -> dict[str, str]:
    """Read NAME=VALUE of an option that may be given several times; `form` is what errors call the two.

    Raises:
        InputError: another form, or one name twice.
    """
    from ..errors import InputError

    found: dict[str, str] = {}
    for each in given or []:
        name, _, value = each.partition("=")
        if not name or not value:
            raise InputError(f"{option} {each!r} does not fit; give {form}, such as {example}.")
        if name in found:
            raise InputError(f"{option} gives {name} twice, {found[name]} and {value}; give it once.")
        found[name] = value
    return found


def refuse_beside(option: str, **others: object) -> None:
    """Refuse other options that a command would pass over because of this one; their names are the parameters'.

    Raises:
        InputError: one of them was given.
    """
    from ..errors import InputError

    given = [f"--{name.replace('_', '-')}" for name, value in others.items() if value]
    if given:
        raise InputError(f"{option} has no use for {' and '.join(given)}; leave one or the other out.")


def one_of(kind: str, text: str, known: object) -> str:
    """Check that a text is one of a Literal's.

    Raises:
        UnknownNameError: it is not; lists them.
    """
    from ..errors import UnknownNameError

    if text not in get_args(known):
        raise UnknownNameError(kind, text, get_args(known))
    return text


def names(text: str, option: str) -> list[str]:
    """Read "a,b,c" into each name once, in its place.

    Raises:
        InputError: nothing, or nothing between two commas: what a script's empty variable leaves.
    """
    from ..errors import InputError

    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise InputError(f"{option} {text!r} lacks a name; give names separated by commas, or leave {option} out.")
    return list(dict.fromkeys(parts))
