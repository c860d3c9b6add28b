"""A tiny waist that torchrun trains: OUT METHOD TRAIN EPOCHS [STOP_AFTER]; it resumes from OUT/state.pt."""

import json
import sys
from pathlib import Path

import torch
from privacy_case import FEATURES, case
from torch import nn

from toolkit.datasets._data import Part
from toolkit.partition.cuts import Crosser, Cut
from toolkit.partition.layouts import Layout
from toolkit.partition.split import Split
from toolkit.protect.protected import protection_class
from toolkit.protect.waist.geometry import Geometry
from toolkit.protect.waist.training import WaistTraining, train_waist
from toolkit.protections._devices import devices_for
from toolkit.tasks._truth import truth_for

BATCH = 33  # so that two processes have unequal shares


def main(out: Path, method: str, train: str, epochs: int, stop_after: int | None) -> None:
    devices, one = devices_for("cpu"), case()
    crosser = Crosser("head", FEATURES, Layout("NCHW"))
    cut = Cut("head", (), FEATURES, 4 * 512, 20_000, 300_000, 80, 5_000, "head", (crosser,))
    halves = Split(one.head, one.tail, cut, (1, 16, 16), 10)
    geometry = Geometry(FEATURES, 6, FEATURES[1] // 2, 16)
    protection = protection_class(method).build(geometry.shape, {})
    watched = one.data.victim_val
    truth = truth_for(halves.task, nn.Sequential(one.head, one.tail), watched.images, watched.labels)
    curve: list[float] = []
    kept = out / "state.pt"

    def checkpoint(state: dict[str, object]) -> None:
        torch.save(state, kept)
        steering = state["modules"]["steering"]
        curve.extend(steering[name].item() for name in ("bits", "drop", "weight"))
        if len(curve) == 3 * (stop_after or 0):
            (out / "curve.json").write_text(json.dumps(curve))
            sys.exit(3)  # as if it had been killed; torchrun ends the other processes

    resumed = torch.load(kept, weights_only=True) if kept.exists() else None
    few = one.data.victim_train
    photos = Part(few.images[:231], few.labels[:231])
    done = train_waist(
        WaistTraining(
            halves, geometry, protection, train, {}, photos, watched.images, truth, 0.02,
            epochs=epochs, batch_size=BATCH, checkpoint=checkpoint, resume_from=resumed, devices=devices,
        )
    )  # fmt: skip
    if devices.first:
        parts = {"encoder": done.waist.encoder, "decoder": done.waist.decoder, "noise": protection}
        parts |= {"head": done.head, "tail": done.tail}
        state = {
            f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()
        }
        torch.save(state, out / "weights.pt")
        (out / "curve.json").write_text(json.dumps(curve))


if __name__ == "__main__":
    stop = int(sys.argv[5]) if len(sys.argv) > 5 else None
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), stop)
