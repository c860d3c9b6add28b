"""Finished attacks on disk: an evaluation that is killed goes on where it was.

A file's name is a hash over everything that the attack's figures depend on, so a changed setting never finds an
old figure; the bundle's id is among them. Tensors and JSON only, no pickle.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..attacks.base import Training
from ..bundle import write_atomically
from .outcome import Outcome

#: raise it when the same description no longer gives the same figures
_VERSION = 4
_TENSORS = ("success", "right", "ssim", "psnr", "mse", "distance", "identified", "pictures")


class OutcomeCache:
    """Outcomes by description; without `keep` they are read only. `beside`: a second folder that is read, too."""

    def __init__(self, folder: Path, *, keep: bool = True, beside: Path | None = None) -> None:
        self.folder = folder
        self.keep = keep
        self._beside = beside

    def path(self, key: Mapping[str, object]) -> Path:
        """Where the outcome of that description is or will be."""
        return self.folder / _name(key)

    def find(self, key: Mapping[str, object]) -> Outcome | None:
        """Return the outcome of that description, or None where there is none."""
        found = _read(self.path(key))
        return found if found is not None or self._beside is None else _read(self._beside / _name(key))

    def get(self, key: Mapping[str, object], make: Callable[[], Outcome]) -> Outcome:
        """Return the outcome of that description, made now if it is not there."""
        found = self.find(key)
        if found is None:
            found = make()
            if not self.keep:
                return found
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path(key), _bytes(found))
        return found


def _name(key: Mapping[str, object]) -> str:
    text = json.dumps([_VERSION, key], sort_keys=True, default=str)
    return f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.safetensors"


def _bytes(outcome: Outcome) -> bytes:
    tensors = {name: value.contiguous() for name in _TENSORS if (value := getattr(outcome, name)) is not None}
    # JSON writes a double so that it reads back to the bit
    told = {
        "chance": outcome.chance,
        "crowds": outcome.crowds,
        "trainings": [dataclasses.asdict(one) for one in outcome.trainings],
    }
    return save(tensors, metadata={"told": json.dumps(told)})


def _read(path: Path) -> Outcome | None:
    try:
        with safe_open(path, framework="pt") as file:
            tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            told = json.loads(file.metadata()["told"])
        return Outcome(
            success=tensors["success"],
            right=tensors["right"],
            chance=told["chance"],
            crowds=tuple(told["crowds"]),
            **{name: tensors.get(name) for name in _TENSORS[2:]},
            trainings=tuple(Training(**{**one, "losses": tuple(one["losses"])}) for one in told["trainings"]),
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None  # not there, or damaged by something else than us: make it anew
