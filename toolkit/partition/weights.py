"""Weights files, read without running code: safetensors, or .pth / .pt under torch's weights_only."""

from __future__ import annotations

import warnings
from typing import IO, TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

_NESTED = ("state_dict", "model_state_dict", "model")


class UnsafeFileError(Exception):
    """A torch file that holds more than tensors and plain containers."""


def load_tensors_only(source: Path | IO[bytes]) -> object:
    """Read what torch.save wrote, refusing anything that loading could run.

    Raises:
        UnsafeFileError: it holds other objects.
        EOFError, OSError, RuntimeError, ValueError, KeyError: it is damaged.
    """
    import pickle

    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected pickle protocol")  # such a file is refused or fine
        try:
            loaded: object = torch.load(source, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise UnsafeFileError(str(error)) from None
    return loaded


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict.

    Raises:
        InputError: missing, truncated, not a state dict, or a pickle that holds more than tensors.
    """
    if not path.is_file():
        raise InputError(f"There is no weights file {path}; give a .safetensors or a .pth file with --weights.")
    with path.open("rb") as file:
        start = file.read(64)
    refuse_pointer(start, path)
    # the content counts, not the suffix: a zip archive is torch.save's, a JSON header at byte 8 safetensors'
    is_safetensors = start[8:9] == b"{" or (path.suffix == ".safetensors" and not start.startswith(b"PK"))
    state = _read_safetensors(path) if is_safetensors else _read_torch(path)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def refuse_pointer(start: bytes, path: Path) -> None:
    """Refuse the few lines that Git LFS leaves where a file was not fetched.

    Raises:
        InputError: that is what the file is.
    """
    if start.startswith(b"version https://git-lfs"):
        raise InputError(f"{path} is a Git LFS pointer, not the file itself; fetch it with: git lfs pull")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a complete safetensors file ({error}); save or copy it again.") from None


def _read_torch(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        with path.open("rb") as file:  # by its name alone, torch.load would take it for safetensors
            loaded = load_tensors_only(file)
    except UnsafeFileError:
        raise InputError(
            f"{path} holds more than tensors and loading it could run code, so it was refused; "
            "save model.state_dict(), best as safetensors, and give that file."
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError):
        raise InputError(f"{path} is truncated or not a PyTorch weights file; save or copy it again.") from None
    for key in _NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise InputError(f"{path} holds no state dict (names to tensors); save model.state_dict() and give that file.")
    return loaded


def apply_weights(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load a state dict into a network, strictly.

    Raises:
        InputError: a name or a shape does not fit; the message names the first of each.
    """
    own = network.state_dict()
    missing = sorted(own.keys() - state.keys())
    extra = sorted(state.keys() - own.keys())
    wrong = [name for name in own if name in state and own[name].shape != state[name].shape]
    complaints = []
    if missing:
        complaints.append(f"{len(missing)} tensors are missing (first: {missing[0]})")
    if extra:
        complaints.append(f"{len(extra)} are not of this network (first: {extra[0]})")
    if wrong:
        name = wrong[0]
        complaints.append(f"{name} is {tuple(state[name].shape)}, the network has {tuple(own[name].shape)}")
    if complaints:
        raise InputError(
            f"{path} does not fit the network: {'; '.join(complaints)}; give weights trained for this network."
        )
    network.load_state_dict(state)
