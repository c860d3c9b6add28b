"""The same head without its protection, converted on the spot, to tell what the protection costs."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from converters.base import HeadProgram

from .. import plugins
from ..bundle import Bundle
from ..records.progress import Progress

if TYPE_CHECKING:
    from .head_file import HeadFile


@contextlib.contextmanager
def convert_unprotected(bundle: Bundle, heads: Sequence[HeadFile], progress: Progress) -> Iterator[list[HeadFile]]:
    """Convert the bundle's bare head once per (target, precision, backend) of `heads` into a temporary folder."""
    import torch
    from safetensors.torch import load_file

    from ..partition.split import load_split

    manifest = bundle.manifest
    backbone = load_split(bundle).head
    if manifest.golden is not None:
        images = load_file(bundle.path(manifest.golden.inputs))["image"]
    else:
        images = torch.randn(4, *manifest.split.image.shape[1:], generator=torch.Generator().manual_seed(0))
    program = HeadProgram(backbone, None, images[:1], calibration=[image[None] for image in images])
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for index, head in enumerate(heads):
            progress(0, 1, f"converting the unprotected head for {head.target} {head.precision}")
            converter = plugins.target(head.target)()
            out = Path(folder) / str(index)
            out.mkdir()
            conversion = converter.convert(program, out, precision=head.precision, backend=head.backend)
            made.append(
                dataclasses.replace(head, part="unprotected-head", entry=out / conversion.entry, takes_eps=False)
            )
        yield made
