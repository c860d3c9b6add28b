"""The protected head of a bundle: head and protection as modules, read back from its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors.torch import load_file

from .. import plugins, protections
from ..errors import BundleError
from ..partition.split import Split, load_split
from ..protections.base import Protection
from .waist.encoder import geometry_of
from .waist.modules import Coded, Waist, narrowed

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from ..bundle import Bundle

#: what the names of a part's weights begin with
HEAD, BLOCK, ENCODER, DECODER, TAIL = "head.", "protection.", "encoder.", "decoder.", "tail."


@dataclass(frozen=True)
class Protected:
    """A split with what is fused behind its head; all in eval mode.

    Attributes:
        split: head (with its changed weights, where the method changes them) and tail. With a waist, the encoder is the
            end of the head and the decoder the beginning of the tail.
        protection: smashed (and eps) -> protected features.
        waist: the two networks of the waist, or None.
    """

    split: Split
    protection: Protection
    waist: Waist | None = None

    @property
    def sender(self) -> Protection:
        """Smashed (and eps) -> what crosses: whole numbers behind a waist, else the protected features themselves."""
        return self.protection if self.waist is None else Coded(self.protection)

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
        InputError: a class from outside this project that cannot be loaded.
    """
    if ":" in name:
        return plugins.load_foreign("protection method", name, Protection)  # type: ignore[type-abstract]
    return plugins.load(protections, "protection method", name, Protection)  # type: ignore[type-abstract]


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
    state, path = load_file(bundle.checked(record.weights)), bundle.path(record.weights)
    features = features_of(halves.cut.shape)
    waist = None
    if record.waist is not None:
        encoder = {name.removeprefix(ENCODER): value for name, value in state.items() if name.startswith(ENCODER)}
        waist = Waist.empty(geometry_of(features, record.waist.shape[0], encoder))
    protection = kind.build(features if waist is None else waist.geometry.shape, options)
    parts: dict[str, nn.Module] = {BLOCK: protection, HEAD: halves.head, TAIL: halves.tail}
    if waist is not None:
        parts |= {ENCODER: waist.encoder, DECODER: waist.decoder}
    for prefix, part in parts.items():
        _restore(part, state, prefix, path)
        part.requires_grad_(False)
    protection.eval()
    return Protected(halves if waist is None else narrowed(halves, waist), protection, waist)


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


def _restore(part: nn.Module, state: dict[str, Tensor], prefix: str, path: Path) -> None:
    """Load what a file has for one part; it holds nothing for a head or a tail that was not changed."""
    found = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    if not found and prefix in (HEAD, TAIL):
        return
    try:
        part.load_state_dict(found)
    except RuntimeError as error:
        raise BundleError(
            f"{path} does not fit the protection ({str(error).splitlines()[0]}); protect the bundle again."
        ) from None
