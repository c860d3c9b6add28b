"""Ten looks at the same photo, and ten versions of it, behind a waist: does more of it say more?

    python benchmarks/privacy/photos/looks.py CELL      # after protect.py CELL

Results are added to benchmarks/results/photos_looks.json. With memoised noise every look is the same message
(tests/conformance/test_waist.py), so more of them add nothing. With fresh noise the attacker averages the messages.
Near-duplicates are shifted by up to a pixel, re-compressed (JPEG 60 to 95) and up to 3 % brighter or darker: each is
another photo with noise of its own. Decoder and linker are retrained on averages.
"""

import argparse
import io
import json
import time
from pathlib import Path
from typing import Any

import attack
import data
import numpy as np
import torch
from PIL import Image
from torch import Tensor

RESULT = Path("benchmarks/results/photos_looks.json")
VERSIONS = 10


def versions(photos: Tensor, seed: int) -> Tensor:
    """One other version of each uint8 photo [N,3,32,32]."""
    draw = np.random.default_rng(seed)
    moved = np.pad(photos.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    out = np.empty(photos.shape, np.uint8)
    for row, photo in enumerate(moved):
        top, left = draw.integers(0, 3, 2)
        crop = photo[:, top : top + 32, left : left + 32] * draw.uniform(0.97, 1.03)
        file = io.BytesIO()
        picture = Image.fromarray(crop.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
        picture.save(file, "JPEG", quality=int(draw.integers(60, 96)))
        out[row] = np.asarray(Image.open(file)).transpose(2, 0, 1)
    return torch.from_numpy(out)


def averages(cell: attack.Cell, part: data.Part, kind: str, looks: int, generator: torch.Generator) -> Tensor:
    """Mean message [N,1,c,h,w] of so many looks at each photo."""
    total: Tensor | None = None
    for look in range(looks):
        photos = versions(part.photos, look) if kind == "near-duplicates" else part.photos
        sent = cell.messages(photos, generator)[0].float()
        total = sent if total is None else total + sent
    assert total is not None
    return total / looks


class Averager(attack.Attacker):
    """An attacker who holds one averaged message of each photo."""

    def __init__(self, cell: attack.Cell, kind: str, looks: int, generator: torch.Generator) -> None:
        part = data.part("attacker")
        self.messages, self.draws = averages(cell, part, kind, looks, generator), 1
        self.photos, self.labels, self.held = part.photos, part.labels, len(part.photos) // 10
        self.shape = tuple(self.messages.shape[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cell")
    name = parser.parse_args().cell
    torch.set_num_threads(1)
    cell, part = attack.Cell(name), data.part("test")
    test = data.Part(part.photos[: attack.TESTED], part.labels[: attack.TESTED])
    judge = attack.Judge(cell.network)
    features = judge.of_all(data.normalise(data.unit(test.photos)))
    for kind, looks in (("one look", 1), ("fresh noise", VERSIONS), ("near-duplicates", VERSIONS)):
        begun, generator = time.time(), torch.Generator().manual_seed(100)
        attacker = Averager(cell, kind, looks, generator)
        sent = averages(cell, test, kind, looks, generator)[:, 0]
        found: dict[str, Any] = {"cell": name, "kind": kind, "looks": looks}
        model, found["curve"] = attack.decoders(attacker, judge, 0, quick=True)["decoder"]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            rebuilt = torch.cat([attack.pixels(model(piece).float()) for piece in sent.split(500)])
        found |= attack.judged(rebuilt, test, judge, features)
        found["link"] = attack.link(attacker, judge, sent, features, 0, 4)
        found["seconds"] = round(time.time() - begun)
        rows = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
        rows = [row for row in rows if (row["cell"], row["kind"], row["looks"]) != (name, kind, looks)] + [found]
        told = {"rows": rows, "date": time.strftime("%Y-%m-%d"), "torch": torch.__version__, "seed": 0}
        RESULT.write_text(json.dumps(told, indent=1) + "\n")
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
