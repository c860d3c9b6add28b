"""Finished attacks on disk: an evaluation that is killed goes on where it was.

A file's name is a hash over everything that the attack's figures depend on, so a changed setting never meets an
old figure; the bundle's id is among them. Tensors only, no pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ..bundle import write_atomically
from .attacking import Outcome

#: raise it when the same description no longer gives the same figures
_VERSION = 1
_TENSORS = ("success", "ssim", "psnr", "mse", "pictures")


class OutcomeCache:
    """Outcomes by description."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: Mapping[str, object], make: Callable[[], Outcome]) -> Outcome:
        """Return the outcome of that description, made now if it is not there."""
        text = json.dumps([_VERSION, key], sort_keys=True, default=str)
        path = self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.safetensors"
        found = _read(path)
        if found is None:
            found = make()
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, _bytes(found))
        return found


def _bytes(outcome: Outcome) -> bytes:
    tensors = {name: value.contiguous() for name in _TENSORS if (value := getattr(outcome, name)) is not None}
    # as float64: what is read back is what was measured, to the bit
    tensors["shares"] = torch.tensor([outcome.accuracy, outcome.chance], dtype=torch.float64)
    return save(tensors)


def _read(path: Path) -> Outcome | None:
    try:
        tensors = load(path.read_bytes())
        accuracy, chance = tensors["shares"].tolist()
        return Outcome(
            success=tensors["success"],
            accuracy=accuracy,
            chance=chance,
            ssim=tensors.get("ssim"),
            psnr=tensors.get("psnr"),
            mse=tensors.get("mse"),
            pictures=tensors.get("pictures"),
        )
    except (OSError, SafetensorError, KeyError):
        return None  # not there, or damaged by something else than us: make it anew
