"""The state of an interrupted training, kept in the bundle until the protection is fused."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING

import torch

from ..bundle import write_atomically
from ..errors import BundleError
from ..partition.weights import UnsafeFileError, load_tensors_only

if TYPE_CHECKING:
    from ..bundle import Bundle
    from .settings import ProtectSettings


#: what a training aims at, and is judged by once it is over: it may be given anew then
_ASKED_AFTERWARDS = {"max_accuracy_drop"}


class Checkpoint:
    """One training's state: it counts for the very same bundle, settings and revision of the method alone.

    One that says it is `finished`, and was refused for what it costs, counts for another accuracy drop too.
    """

    def __init__(self, bundle: Bundle, settings: ProtectSettings, revision: int) -> None:
        self._path = bundle.root / ".checkpoint.pt"
        about = [bundle.manifest.bundle_id, revision]
        every, trained = (settings.model_dump(mode="json", exclude=left) for left in (set(), _ASKED_AFTERWARDS))
        self._key, self._finished_key = (_digest([*about, each]) for each in (every, trained))

    def save(self, state: dict[str, object]) -> None:
        """Replace the kept state."""
        buffer = io.BytesIO()
        torch.save({"key": self._finished_key if state.get("finished") else self._key, "state": state}, buffer)
        write_atomically(self._path, buffer.getvalue())

    def load(self) -> dict[str, object] | None:
        """Return the kept state, or None to start afresh.

        Raises:
            BundleError: the file is damaged.
        """
        if not self._path.is_file():
            return None
        try:
            saved = load_tensors_only(self._path)
        except (UnsafeFileError, RuntimeError, EOFError, OSError, ValueError, KeyError):
            raise BundleError(f"{self._path} is damaged; delete it and train again without --resume.") from None
        if not isinstance(saved, dict) or saved.get("key") not in (self._key, self._finished_key):
            return None
        state = saved.get("state")
        return state if isinstance(state, dict) else None

    def remove(self) -> None:
        """Forget the state."""
        self._path.unlink(missing_ok=True)


def _digest(about: list[object]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
