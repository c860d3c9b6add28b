"""A tiny training that torchrun starts: OUT METHOD EPOCHS [STOP_AFTER]; it resumes from OUT/state.pt."""

import json
import sys
from pathlib import Path

import torch
from torch import nn

from toolkit import plugins, protections
from toolkit.protections._devices import devices_for
from toolkit.protections.base import Protection, Training

FEATURES = (4, 6, 6)


def network() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(3)
    head = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    tail = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 3))
    return head.requires_grad_(False), tail.requires_grad_(False)


def photos() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    labels = torch.randint(0, 3, (77,), generator=generator)  # 77 = 4 * 16 + 13: the last batch is odd
    return torch.randn(77, 1, 12, 12, generator=generator) + labels[:, None, None, None], labels


def main(out: Path, method: str, epochs: int, stop_after: int | None) -> None:
    devices = devices_for("cpu")
    head, tail = network()
    images, labels = photos()
    protection = plugins.load(protections, "method", method, Protection).build(FEATURES)
    curve: list[float] = []
    kept = out / "state.pt"

    def progress(done: int, total: int, text: str) -> None:
        if "loss" in text:
            curve.append(float(text.rpartition(" ")[2]))

    def checkpoint(state: dict[str, object]) -> None:
        torch.save(state, kept)
        if state["epoch"] == stop_after:
            (out / "curve.json").write_text(json.dumps(curve))
            sys.exit(3)  # as if it had been killed; torchrun ends the other processes

    resumed = torch.load(kept, weights_only=True) if kept.exists() else None
    protection.fit(
        Training(
            head, tail, images, labels, seed=1, epochs=epochs, batch_size=16, progress=progress,
            checkpoint=checkpoint, resume_from=resumed, devices=devices, scratch=out,
        )
    )  # fmt: skip
    if devices.first:
        torch.save(protection.state_dict(), out / "weights.pt")
        (out / "curve.json").write_text(json.dumps(curve))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None)
