"""Accuracy against bits of waists that nobody trained: only started at the best linear one (waist.start_from).

    python benchmarks/privacy/photos/linear.py resnet

Tells in a minute which geometry a cut wants; no noise, frequencies measured on half of the validation photos.
"""

import json
import sys

import data
import protect
import torch
from attack import entropy_bits
from waist import Waist

GRID = {
    "layer1": [(8, 4), (16, 4), (32, 4), (64, 4), (8, 8), (4, 16)],
    "layer2": [(4, 4), (8, 4), (16, 4), (32, 4), (32, 2), (64, 2), (4, 8)],
    "layer3": [(4, 4), (8, 4), (8, 2), (16, 2), (16, 1), (32, 1)],
}


def main(network: str) -> None:
    torch.set_num_threads(1)
    victim, val = data.part("victim"), data.part("val")
    rows = []
    for cut in protect.networks.CUTS[network]:
        head, tail = protect.split_network(network, cut)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            maps = torch.cat([head(data.normalise(data.unit(piece))) for piece in val.photos.split(250)])
            before = torch.cat([tail(piece) for piece in maps.split(250)]).argmax(1) == val.labels
        for channels, side in GRID[cut]:
            for level in (1, 3) if (channels, side) in ((16, 4), (16, 2)) else (3,):
                settings = {**protect.DEFAULTS, "channels": channels, "side": side, "level": level}
                settings["spread"] = 1.2 if level == 3 else 0.7
                waist = Waist("silent", tuple(maps.shape[1:]), settings)
                protect.begin_at(waist, head, tail, victim.photos[:1000], settings)
                waist.eval()
                with torch.no_grad():
                    sent = waist(maps.float(), ())
                    with torch.autocast("cpu", torch.bfloat16):
                        after = torch.cat([tail(piece) for piece in sent.rebuilt.split(250)]).argmax(1) == val.labels
                row = {"cut": cut, "channels": channels, "side": side, "level": level}
                row |= {"ratio": (after.sum() / before.sum()).item(), "bytes": entropy_bits(sent.codes, level)[0] / 8}
                rows.append(row)
                print(json.dumps(row), flush=True)
    (data.ROOT / f"{network}-linear.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
