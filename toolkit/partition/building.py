"""A network by name or from a user's own factory, as a plain module: unwrapped, in eval mode, in float32 on the CPU."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .. import families, plugins
from ..datasets._vision import torchvision
from ..errors import InputError, NetworkError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from torch import nn

Built = TypeVar("Built")

#: attributes under which a wrapper keeps the network that it wraps
_WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module", "OptimizedModule": "_orig_mod"}


def build(source: str, channels: int, classes: int | None) -> nn.Module:
    """Build a network.

    Args:
        source: a built-in family or torchvision name, or `package.module:factory`.
        channels: of the image, for built-in families.
        classes: K, for named networks; None: the name's own default.

    Raises:
        InputError: an unknown name, or a factory that does not give a network.
        NetworkError: a network of a kind that cannot be split as it is.
    """
    if ":" in source:
        return plain(_from_factory(source), source)
    if source in plugins.names(families):
        module = importlib.import_module(f"{families.__name__}.{source}")
        return cast("nn.Module", module.build(channels, classes or 10))
    if Path(source).is_file():
        raise InputError(
            f"{source} is a file that a network cannot be built from; give a built-in name, package.module:factory or "
            "a .pt2 file that torch.export.save wrote, and a file of weights with --weights."
        )
    models = torchvision().models
    known = models.list_models(module=models)
    segmenting = models.list_models(module=models.segmentation)
    if source not in known and source not in segmenting:
        raise UnknownNameError("network", source, [*plugins.names(families), *known, *segmenting])
    settings: dict[str, object] = {} if classes is None else {"num_classes": classes}
    if source in ("googlenet", "inception_v3"):
        settings |= {"init_weights": False, "aux_logits": False}
    if source in segmenting:
        settings |= {"weights_backbone": None}
    try:
        return cast("nn.Module", models.get_model(source, weights=None, **settings))
    except ValueError as error:
        raise InputError(f"torchvision cannot build {source} ({first_line(error)}); choose another network.") from None


@contextlib.contextmanager
def printing_aside() -> Any:  # noqa: ANN401 (a context manager of nothing)
    """Send what a user's own code prints to stderr: stdout belongs to the result."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _from_factory(source: str) -> object:
    module_name, _, attribute = source.partition(":")
    with printing_aside():
        module = _import(module_name)
        factory = getattr(module, attribute, None)
        if not callable(factory):
            raise InputError(f"{module_name} has no callable {attribute!r}; give package.module:factory.")
        try:
            return _with_torchvision(factory)
        except TypeError as error:
            if "required positional argument" in str(error) or "required keyword-only" in str(error):
                raise InputError(
                    f"{source} needs arguments ({first_line(error)}); write a function without any beside it, such as: "
                    f"def build(): return {attribute}(...), and give {module_name}:build."
                ) from error
            raise InputError(f"{source}() failed ({first_line(error)}); it must work without arguments.") from error
        except Exception as error:  # a user's factory may raise anything
            raise InputError(f"{source}() failed ({first_line(error)}); it must work without arguments.") from error


def _import(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))  # the way python -m finds a user's own module
    try:
        return _with_torchvision(lambda: importlib.import_module(name))
    except Exception as error:  # a user's module may raise anything
        raise InputError(f"{name} cannot be imported ({first_line(error)}); give package.module:factory.") from error
    finally:
        sys.path.remove(str(Path.cwd()))


def _with_torchvision(work: Callable[[], Built]) -> Built:
    """Run a user's code that may import torchvision; a build that does not match torch's loads only in our way."""
    try:
        return work()
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    torchvision()
    return work()


def plain(built: object, source: str) -> nn.Module:
    """Take a network out of its wrappers, to the CPU and to float32.

    Raises:
        InputError: it is not a network.
        NetworkError: a kind that cannot be split as it is; the message says what it is and what fixes it.
    """
    import torch
    from torch import nn

    if isinstance(built, dict):
        raise InputError(
            f"{source}() returned weights (a state dict), not a network; return the module "
            "(network = Net(); network.load_state_dict(weights); return network)."
        )
    if not isinstance(built, nn.Module):
        raise InputError(f"{source}() returned a {type(built).__name__}; it must return a torch.nn.Module.")
    while type(built).__name__ in _WRAPPERS:
        built = getattr(built, _WRAPPERS[type(built).__name__])
    network = cast("nn.Module", built)
    if isinstance(network, torch.jit.ScriptModule):
        raise NetworkError(
            f"{source} is a scripted or traced TorchScript module, which torch.export cannot follow; "
            "return the module that torch.jit.script or torch.jit.trace was given."
        )
    _refuse_quantised(network, source)
    tensors = [*network.parameters(), *network.buffers()]
    if any(tensor.is_meta for tensor in tensors):
        raise NetworkError(
            f"{source} stands on the meta device, so it has no weights; build it outside torch.device('meta'), "
            "or call network.to_empty(device='cpu') and load its weights."
        )
    network = network.cpu()
    floats = {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
    if floats and torch.float32 not in floats:
        network = network.float()  # half precision and float64 throughout: phones compute in float32
    return network.eval()


def _refuse_quantised(network: nn.Module, source: str) -> None:
    from torch import nn

    for path, module in network.named_modules():
        home = type(module).__module__
        fake = "FakeQuantize" in type(module).__name__ or ".qat" in home
        tensors = [type(value) for value in module.parameters(recurse=False)]
        odd = any(kind is not nn.Parameter and kind.__module__.startswith("torchao") for kind in tensors)
        if home.startswith(("torch.ao.nn.quantized", "torch.nn.quantized")) or fake or odd or "torchao" in home:
            raise NetworkError(
                f"{source} is quantised ({type(module).__name__} at {path or 'its top'}); return the float network, "
                "as it is before prepare, convert or quantize_ (pripro convert --precision int8 quantises the head)."
            )


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
