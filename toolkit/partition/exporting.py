"""Export a module with a free batch size, whatever form of image it takes; what cannot be followed is explained."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from ..errors import NetworkError
from .building import first_line, printing_aside
from .names import INNER

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

ImageShape = tuple[int, int, int]
_FORMS = ("NCHW float", "NHWC float", "NCHW uint8", "NHWC uint8")


def export(network: nn.Module, image: ImageShape) -> ExportedProgram:
    """Export a module as one graph from an image [B,C,H,W], float32, B free.

    A network that takes [B,H,W,C], or uint8 pixels (the image then has pixel values from 0 to 255), gets that turned
    inside the graph.

    Raises:
        NetworkError: torch.export cannot follow the module, or it does not take one image.
    """
    import torch

    _check_inputs(network)
    network = network.eval()
    example = torch.zeros(2, *image)
    form = _form(network, example)
    adapted = network if form == _FORMS[0] else _adapter(network, form)
    try:
        with printing_aside(), torch.no_grad():
            return torch.export.export(adapted, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    except Exception as error:  # torch.export raises dozens of kinds
        if "Constraints violated (batch)" in str(error):
            raise NetworkError(
                "The network works for one batch size only: somewhere it turns the batch size into a plain number, "
                "as len(x) and int(x.shape[0]) do; write x.shape[0] there, and -1 rather than a number in reshape."
            ) from error
        raise NetworkError(
            f"torch.export cannot follow the network with a free batch size ({_reason(error)}); "
            "remove control flow that depends on data or on the batch size."
        ) from error


def _form(network: nn.Module, example: Tensor) -> str:
    """The form of image that the network runs on.

    Raises:
        NetworkError: it runs on none.
    """
    import torch

    failure: Exception | None = None
    for form in _FORMS:
        adapted = network if form == _FORMS[0] else _adapter(network, form)
        try:
            with printing_aside(), torch.no_grad():
                adapted(example)
        except Exception as error:  # anything a user's own forward may raise
            failure = failure or error
        else:
            return form
    shape = ",".join(map(str, example.shape[1:]))
    raise NetworkError(
        f"The network cannot run on a [2,{shape}] batch ({_reason(failure)}); "
        "check --input, or wrap it in a module that takes one image batch."
    ) from failure


def _adapter(network: nn.Module, form: str) -> nn.Module:
    """Take [B,C,H,W] float32 and hand the network what it takes."""
    import torch
    from torch import nn

    class Adapted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module(INNER, network)

        def forward(self, image: Tensor) -> object:
            if "NHWC" in form:
                image = image.permute(0, 2, 3, 1)
            if "uint8" in form:
                image = image.round().clamp(0, 255).to(torch.uint8)
            answer: object = network(image)
            return answer

    return Adapted().eval()


def _check_inputs(network: nn.Module) -> None:
    """Refuse a second input, with the code that fixes it."""
    needed = [
        parameter.name
        for parameter in inspect.signature(network.forward).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    if len(needed) > 1:
        raise NetworkError(second_input(needed))


def second_input(names: list[str]) -> str:
    """Say that one image is the only input, with the wrapper that fixes the others, ready to paste."""
    others = names[1:]
    fixed = "\n".join(f'        self.register_buffer("{name}", torch.zeros(...))  # its value' for name in others)
    passed = ", ".join(f"{name}=self.{name}" for name in others)
    return (
        f"The network takes {len(names)} inputs ({', '.join(names)}); pripro splits networks with one image "
        "input, so wrap it in a module that fixes the others, such as:\n\n"
        "import torch\n\n"
        "class OneImage(torch.nn.Module):\n"
        "    def __init__(self, network):\n"
        "        super().__init__()\n"
        "        self.network = network\n"
        f"{fixed}\n\n"
        "    def forward(self, image):\n"
        f"        return self.network(image, {passed})\n\n"
        "def build():\n"
        "    return OneImage(...)  # your network, with its weights\n"
    )


def _reason(error: BaseException | None) -> str:
    """The line of an error that says what happened, with the user's own line of code where the error names one."""
    if error is None:
        return "no reason given"
    text = str(error)
    code = re.search(r'File "([^"]*[/\\])?([^"/\\]+)", line (\d+), in [^\n]*\n\s*([^\n]+)', text)
    places = [
        found
        for found in re.finditer(r'File "([^"]*?)([^"/\\]+)", line (\d+), in [^\n]*\n\s*([^\n]+)', text)
        if "/torch/" not in found.group(1)
    ]
    place = places[-1] if places else code
    told = first_line(error)
    return told if place is None else f"{told}; {place.group(2)}, line {place.group(3)}: {place.group(4).strip()[:80]}"
