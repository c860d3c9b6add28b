"""A converted head on the disk, as it is timed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Part = Literal["head", "unprotected-head"]


@dataclass(frozen=True)
class HeadFile:
    """One converted head on the disk, and what to call it."""

    part: Part
    target: str
    precision: str
    backend: str
    entry: Path
    takes_eps: bool

    def label(self, threads: int) -> str:
        """Name it in tables and messages."""
        threads_text = "thread" if threads == 1 else "threads"
        return f"{self.part} {self.target} {self.precision} {self.backend}, {threads} {threads_text}"
