"""Any trained network as one exported graph: by name, as module:factory, or as a saved program.

Notation: B batch (any size), C x H x W image, K classes.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..datasets._photo import MAX_PIXELS
from ..errors import InputError, MissingExtraError, NetworkError
from .answers import Answer, answers
from .building import build
from .crossing import seen_of_image
from .exporting import ImageShape, second_input
from .exporting import export as export
from .graph import to_graph
from .program_file import load_program
from .weights import apply_weights, read_weights

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram
    from torch.fx import GraphModule

#: largest change of a photo's answer, relative to the answer's size, when another photo is in the batch
_NEIGHBOUR = 1e-3


@dataclass(frozen=True)
class Network:
    """A network after export.

    Attributes:
        source: what the user called it.
        program: image [B,C,H,W] -> answer [B,...] or a structure of them, B free, eval mode.
        image: (C, H, W).
        classes: K where the (first) answer is [B,K], else 0.
    """

    source: str
    program: ExportedProgram
    image: ImageShape
    classes: int

    @cached_property
    def graph(self) -> GraphModule:
        """The program as one functional graph; not to be changed."""
        return to_graph(self.program)

    @cached_property
    def outputs(self) -> tuple[Answer, ...]:
        """What the network answers with."""
        return answers(self.program, self.graph, self.source)

    def answers(self, returned: Any) -> tuple[Tensor, ...]:  # noqa: ANN401 (whatever a network returns)
        """Pick the tensors that a tail serves out of what the exported module returned."""
        from torch.utils import _pytree as pytree

        leaves = pytree.tree_leaves(returned)
        return tuple(leaves[answer.place] for answer in self.outputs)

    def flat(self, returned: Any) -> Tensor:  # noqa: ANN401 (whatever a network returns)
        """The same, one behind the other [B,K], float32, as a tail hands them out."""
        import torch

        parts = [value.reshape(len(value), -1).to(torch.float32) for value in self.answers(returned)]
        return torch.cat(parts, 1)


def parse_shape(text: str) -> ImageShape:
    """Read "3x224x224".

    Raises:
        InputError: not three positive whole numbers, or more pixels than a photo may have.
    """
    parts = text.lower().split("x")
    if len(parts) == 3 and all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts):
        channels, height, width = (int(part) for part in parts)
        if height * width > MAX_PIXELS:
            raise InputError(
                f"The input shape {text!r} has more than {MAX_PIXELS // 1_000_000} megapixels; "
                "give channels x height x width of what the network takes, such as 3x224x224."
            )
        if channels * height * width > 0:
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
        MissingExtraError: torch is not installed.
        NetworkError: the network does not take one image, or gives no answer per photo.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("torch", "torch", "Reading a network")
    if source.endswith(".pt2"):
        program = _saved(Path(source), weights)
    else:
        state = read_weights(weights) if weights else None
        network = build(source, image[0], classes)
        if state is not None and ":" not in source:
            network = _with_classes(network, state, source, image[0], classes, weights)
        if state is not None and weights is not None:
            apply_weights(network, state, weights)
        program = export(network, image)
    shape, count = _signature(program, source)
    if shape != image:
        raise NetworkError(
            f"{source} takes images of {'x'.join(map(str, shape))}, not {'x'.join(map(str, image))}; "
            f"give --input {'x'.join(map(str, shape))}."
        )
    for tensor in program.state_dict.values():
        tensor.data = tensor.data.contiguous()  # torch saves channels-last weights with a warning
    found = Network(source, program, shape, count)
    check_alone(found)
    return found


def check_alone(network: Network) -> None:
    """Make sure that a photo's answer is finite and does not depend on the other photos in the batch.

    Raises:
        NetworkError: it depends on them, or is NaN or infinite.
    """
    import torch

    _refuse_training(network)
    run = network.program.module(check_guards=False)
    generator = torch.Generator().manual_seed(0)
    one, *others = (torch.randn(1, *network.image, generator=generator) for _ in range(3))
    with torch.no_grad():
        beside = [network.answers(run(torch.cat([one, 1 + 3 * other]))) for other in others]
    for answer, first, second in zip(network.outputs, *beside, strict=True):
        mine, again = first[0].double(), second[0].double()
        if not torch.isfinite(mine).all():
            raise NetworkError(
                f"{network.source} answers a plain image with NaN or infinity in {answer.name}; look at its weights "
                "(a training that diverged, or a file that was not loaded)."
            )
        if (mine - again).abs().max() > _NEIGHBOUR * mine.abs().max().clamp(min=1e-6):
            raise NetworkError(
                f"{network.source}'s answer to a photo changes with the other photos in its batch; "
                "a phone sends one photo at a time, so call network.eval() before exporting."
            )


def _refuse_training(network: Network) -> None:
    """Batch normalisation that was exported in training mode takes its statistics from the batch.

    That of weights (standardised ones, as of NFNets and BiT, are written so) sees no photo.
    """
    seen = seen_of_image(network.graph)
    for node in network.graph.graph.nodes:
        name = str(node.target)
        training = name.startswith(("aten.batch_norm.", "aten._batch_norm_with_update")) and node.args[5:6] == (True,)
        training |= name.startswith(("aten._native_batch_norm_legit_functional", "aten._batch_norm_with_update"))
        if training and node in seen:
            raise NetworkError(
                f"{network.source} was exported in training mode: its batch normalisation takes its statistics from "
                "the other photos of the batch; call network.eval() before torch.export.export."
            )
        if name.startswith("aten.dropout.") and node.args[2:3] == (True,):
            raise NetworkError(
                f"{network.source} was exported in training mode: its dropout draws random numbers; "
                "call network.eval() before torch.export.export."
            )


def _saved(path: Path, weights: Path | None) -> ExportedProgram:
    if not path.is_file():
        raise InputError(f"There is no file {path}; give a program saved by torch.export.save.")
    if weights is not None:
        raise InputError(f"{path} already holds its weights; leave out --weights.")
    return load_program(path)


def _with_classes(
    network: nn.Module, state: dict[str, Tensor], source: str, channels: int, classes: int | None, weights: Path | None
) -> nn.Module:
    """Build a named network with as many classes as the weights have.

    Raises:
        InputError: the user asked for another number; the weights are not to blame.
    """
    count = _classes_of(network, state)
    if classes is None:
        return build(source, channels, count)
    if count not in (None, classes):
        raise InputError(
            f"{weights} holds a network of {count} classes, and {classes} were asked for; "
            "leave out --classes, or give the weights of such a network."
        )
    return network


def _classes_of(network: nn.Module, state: dict[str, Tensor]) -> int | None:
    """Read the number of classes off the weights: the length of the network's last bias."""
    last = [name for name, value in network.named_parameters() if value.ndim == 1][-1]
    return int(state[last].shape[0]) if last in state and state[last].ndim == 1 else None


def _signature(program: ExportedProgram, source: str) -> tuple[ImageShape, int]:
    """Image shape and class count (0 where the answer is no [B,K]), after making sure that there is one image.

    Raises:
        NetworkError: other inputs or outputs, or a fixed batch.
    """
    import torch

    nodes = {node.name: node for node in program.graph.nodes}
    names = [name for name in program.graph_signature.user_inputs if isinstance(name, str)]
    inputs = [nodes[name].meta["val"] for name in names]
    if len(inputs) > 1:
        raise NetworkError(f"{source}: {second_input(names)}")
    if not inputs or inputs[0].ndim != 4:
        raise NetworkError(
            f"{source} takes no image [B,C,H,W]; wrap it in a module that takes one batch of images and export that."
        )
    image = inputs[0]
    if image.dtype != torch.float32:
        mend = "export network.float()" if image.is_floating_point() else "give its module:factory instead"
        raise NetworkError(
            f"{source} was exported for {str(image.dtype).removeprefix('torch.')} images, and a head takes float32; "
            f"{mend}, or export a module that casts its float32 image first."
        )
    if isinstance(image.shape[0], int):
        raise NetworkError(
            f"{source} was exported for batch size {image.shape[0]} only; export it with "
            'dynamic_shapes={0: torch.export.Dim("batch")} on its first axis.'
        )
    channels, height, width = (int(size) for size in image.shape[1:])
    if width in (1, 3) and channels not in (1, 3):
        raise NetworkError(
            f"{source} was exported for images [B,H,W,C]; a head takes [B,C,H,W], so export a module that calls "
            "image.permute(0, 2, 3, 1) first, or give its module:factory."
        )
    first = answers(program, to_graph(program), source)[0].shape
    return (channels, height, width), first[0] if len(first) == 1 else 0
