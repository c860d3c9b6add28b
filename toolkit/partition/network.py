"""Any trained network as one exported graph: by name, as module:factory, or as a saved program.

Notation: B batch (any size), C x H x W image, K classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .. import families, plugins
from ..errors import InputError, NetworkError, UnknownNameError
from .program_file import load_program
from .weights import apply_weights, read_weights

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class Network:
    """A network after export.

    Attributes:
        source: what the user called it.
        program: image [B,C,H,W] -> logits [B,K], B free, eval mode.
        image: (C, H, W).
        classes: K.
    """

    source: str
    program: ExportedProgram
    image: ImageShape
    classes: int


def parse_shape(text: str) -> ImageShape:
    """Read "3x224x224".

    Raises:
        InputError: not three positive whole numbers.
    """
    parts = text.lower().split("x")
    if len(parts) == 3 and all(part.isdigit() and int(part) > 0 for part in parts):
        channels, height, width = (int(part) for part in parts)
        return channels, height, width
    raise InputError(f"The input shape {text!r} does not fit; give channels x height x width, such as 3x224x224.")


def load_network(source: str, image: ImageShape, weights: Path | None = None, classes: int | None = None) -> Network:
    """Build or load a network, put the weights in and export it with a free batch size.

    Args:
        source: a built-in family or torchvision name, `package.module:factory`, or a .pt2 file.
        image: (C, H, W); a .pt2 file brings its own, which must be the same.
        weights: safetensors, or .pth of tensors only.
        classes: K, for named networks; default: what the weights say, else the name's own default.

    Raises:
        InputError: unknown name, unusable weights or factory.
        NetworkError: the network does not take one image and return one [B,K] tensor.
    """
    if source.endswith(".pt2"):
        program = _saved(Path(source), weights)
    else:
        state = read_weights(weights) if weights else None
        network = _build(source, image[0], classes)
        if state is not None and classes is None and ":" not in source:
            network = _build(source, image[0], _classes_of(network, state))
        if state is not None and weights is not None:
            apply_weights(network, state, weights)
        program = export(network, image)
    shape, count = _signature(program, source)
    if shape != image:
        raise NetworkError(
            f"{source} takes images of {'x'.join(map(str, shape))}, not {'x'.join(map(str, image))}; "
            f"give --input {'x'.join(map(str, shape))}."
        )
    return Network(source, program, shape, count)


def export(network: nn.Module, image: ImageShape) -> ExportedProgram:
    """Export a module that maps [B,C,H,W] to [B,K], with B free.

    Raises:
        NetworkError: torch.export cannot follow the module, or it does not take one image.
    """
    import torch

    _check_forward(network)
    network = network.eval()
    example = torch.zeros(2, *image)
    try:
        with torch.no_grad():
            network(example)
    except Exception as error:  # anything a user's own forward may raise
        raise NetworkError(
            f"The network cannot run on a [2,{','.join(map(str, image))}] batch ({_first_line(error)}); "
            "check --input, or wrap it in a module that takes one image batch."
        ) from error
    try:
        return torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    except Exception as error:  # torch.export raises dozens of kinds
        raise NetworkError(
            f"torch.export cannot follow the network with a free batch size ({_first_line(error)}); "
            "remove control flow that depends on data or on the batch size."
        ) from error


def _check_forward(network: nn.Module) -> None:
    import inspect

    needed = [
        p.name
        for p in inspect.signature(network.forward).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    if len(needed) > 1:
        raise NetworkError(
            f"The network takes {len(needed)} inputs ({', '.join(needed)}); pripro splits networks with one image "
            "input, so wrap it in a module that fixes the others."
        )


def _build(source: str, channels: int, classes: int | None) -> nn.Module:
    if ":" in source:
        return _from_factory(source)
    if source in plugins.names(families):
        module = importlib.import_module(f"{families.__name__}.{source}")
        return cast("nn.Module", module.build(channels, classes or 10))
    from ..datasets._vision import torchvision

    models = torchvision().models
    known = models.list_models(module=models)
    if source not in known:
        raise UnknownNameError("network", source, [*plugins.names(families), *known])
    settings: dict[str, object] = {} if classes is None else {"num_classes": classes}
    if source in ("googlenet", "inception_v3"):
        settings |= {"init_weights": False, "aux_logits": False}
    try:
        return cast("nn.Module", models.get_model(source, weights=None, **settings))
    except ValueError as error:
        raise InputError(f"torchvision cannot build {source} ({_first_line(error)}); choose another network.") from None


def _from_factory(source: str) -> nn.Module:
    from torch import nn

    module_name, _, attribute = source.partition(":")
    sys.path.insert(0, str(Path.cwd()))  # the way python -m finds a user's own module
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a user's module may raise anything
        raise InputError(
            f"{module_name} cannot be imported ({_first_line(error)}); give package.module:factory."
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise InputError(f"{module_name} has no callable {attribute!r}; give package.module:factory.")
    try:
        built = factory()
    except Exception as error:  # a user's factory may raise anything
        raise InputError(f"{source}() failed ({_first_line(error)}); it must work without arguments.") from error
    if not isinstance(built, nn.Module):
        raise InputError(f"{source}() returned a {type(built).__name__}; it must return a torch.nn.Module.")
    return built


def _saved(path: Path, weights: Path | None) -> ExportedProgram:
    if not path.is_file():
        raise InputError(f"There is no file {path}; give a program saved by torch.export.save.")
    if weights is not None:
        raise InputError(f"{path} already holds its weights; leave out --weights.")
    return load_program(path)


def _classes_of(network: nn.Module, state: dict[str, Tensor]) -> int | None:
    """Read the number of classes off the weights: the length of the network's last bias."""
    last = [name for name, value in network.named_parameters() if value.ndim == 1][-1]
    return int(state[last].shape[0]) if last in state and state[last].ndim == 1 else None


def _signature(program: ExportedProgram, source: str) -> tuple[ImageShape, int]:
    """Image shape and class count, after making sure that there is one of each.

    Raises:
        NetworkError: other inputs or outputs, or a fixed batch.
    """
    nodes = {node.name: node for node in program.graph.nodes}
    inputs = [nodes[name].meta["val"] for name in program.graph_signature.user_inputs if isinstance(name, str)]
    names = program.graph_signature.user_outputs
    outputs = [nodes[name].meta["val"] for name in names if isinstance(name, str) and name in nodes]
    if len(inputs) != 1 or inputs[0].ndim != 4:
        raise NetworkError(
            f"{source} takes {len(inputs)} inputs; pripro splits networks with one image input [B,C,H,W], "
            "so wrap it in a module that fixes the others."
        )
    spec = program.call_spec.out_spec
    if len(outputs) != 1 or outputs[0].ndim != 2 or (spec is not None and not spec.is_leaf()):
        raise NetworkError(
            f"{source} does not return one tensor of logits [B,K]; wrap it in a module that returns only that."
        )
    if isinstance(inputs[0].shape[0], int):
        raise NetworkError(
            f"{source} was exported for batch size {inputs[0].shape[0]} only; export it with "
            'dynamic_shapes={0: torch.export.Dim("batch")} on its first axis.'
        )
    channels, height, width = (int(size) for size in inputs[0].shape[1:])
    return (channels, height, width), int(outputs[0].shape[1])


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
