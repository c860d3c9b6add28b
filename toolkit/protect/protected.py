"""The protected head of a bundle: head and protection as modules, read back from its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors.torch import load_file

from .. import plugins, protections
from ..errors import BundleError
from ..partition.split import Split, load_split
from ..protections.base import Protection

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from ..bundle import Bundle

_HEAD, _BLOCK = "head.", "protection."


@dataclass(frozen=True)
class Protected:
    """A split with what is fused behind its head; all in eval mode.

    Attributes:
        split: head (with its changed weights, where the method changes them) and tail.
        protection: smashed (and eps) -> protected features.
    """

    split: Split
    protection: Protection

    def smash(self, images: Tensor, eps: Tensor | None) -> Tensor:
        """Photos [B,C,H,W] -> what crosses the network [B,c,h,w]."""
        smashed = self.split.head(images)
        result: Tensor = self.protection(smashed) if eps is None else self.protection(smashed, eps)
        return result


def protection_class(name: str) -> type[Protection]:
    """Find a method by its name.

    Args:
        name: a file of toolkit/protections, or module:Class for one in a file of the user's own.

    Raises:
        UnknownNameError: lists the methods that exist.
        InputError: a foreign class that cannot be had.
    """
    if ":" in name:
        return plugins.load_foreign("protection method", name, Protection)  # type: ignore[type-abstract]
    return plugins.load(protections, "protection method", name, Protection)  # type: ignore[type-abstract]


def weights_of(head: nn.Module, protection: Protection) -> dict[str, Tensor]:
    """Collect what protecting changed: the block's weights, and the head's where the method trains it."""
    state = {_BLOCK + name: value for name, value in protection.state_dict().items()}
    if protection.trains_head:
        state |= {_HEAD + name: value for name, value in head.state_dict().items()}
    return {name: value.detach().clone().contiguous() for name, value in state.items()}


def load_protected(bundle: Bundle) -> Protected:
    """Rebuild the protected head that a bundle's manifest describes.

    Raises:
        BundleError: the bundle was not protected yet, or its weights do not fit.
    """
    record = bundle.manifest.protection
    if record is None:
        raise BundleError(
            f"{bundle.root} is not protected yet; run: pripro protect {bundle.root} --method pripro --data SPEC "
            "(or --method none to go on without)."
        )
    halves = load_split(bundle)
    kind = protection_class(record.method)
    options = {
        name: value
        for name, value in record.settings.items()
        if isinstance(value, int | float) and name in kind.options
    }
    protection = kind.build(features_of(halves.cut.shape), options)
    _restore(halves.head, protection, bundle.path(record.weights))
    return Protected(halves, protection.eval().requires_grad_(False))


def features_of(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return C, h, w of smashed features.

    Raises:
        BundleError: they are a flat vector, which has no positions to protect.
    """
    if len(shape) != 3:
        raise BundleError(
            f"The smashed features here are a vector of {shape[0]} values without positions; choose a cut point "
            "before the network flattens them (pripro cuts lists the shapes)."
        )
    channels, height, width = shape
    return channels, height, width


def _restore(head: nn.Module, protection: Protection, path: Path) -> None:
    state = load_file(path)
    block = {name.removeprefix(_BLOCK): value for name, value in state.items() if name.startswith(_BLOCK)}
    changed = {name.removeprefix(_HEAD): value for name, value in state.items() if name.startswith(_HEAD)}
    try:
        protection.load_state_dict(block)
        if changed:
            head.load_state_dict(changed)
    except RuntimeError as error:
        raise BundleError(
            f"{path} does not fit the protection ({str(error).splitlines()[0]}); protect the bundle anew."
        ) from None
