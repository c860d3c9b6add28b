"""Draw benchmarks/results/photos.json and photos_product.json: bytes against accuracy, and against a decoder's picture.

    python benchmarks/privacy/photos/plot.py     # writes docs/pictures/photos.svg

JPEG and WebP are the photos themselves at several qualities. Unprotected features cross as uint8. Points with an edge
are what the commands themselves reach.
"""

import json
import math
from pathlib import Path

import cells
import matplotlib as mpl
import networks
import product
import torch

mpl.use("svg")
from matplotlib import pyplot as plt

OUT = Path("docs/pictures/photos.svg")
MARKS = {"resnet": "o", "alexnet": "s", "vgg11": "^"}
COLOURS = {"pripro": "#1b7f5c", "none": "#b3261e"}
RIVAL = "#8a8f98"


def uint8_bytes(network: str, cut: str) -> int:
    """One byte per value of the features at a cut."""
    module = networks.BUILD[network]().eval()
    names = [name for name, _ in module.named_children()]
    with torch.no_grad():
        return math.prod(module[: names.index(cut) + 1](torch.zeros(1, 3, 32, 32)).shape[1:])


def place(cell: dict) -> tuple[str, str]:
    """(network, cut) of a cell."""
    if cell["cell"].startswith("none:"):
        _, network, cut = cell["cell"].split(":")
        return network, cut
    return cell["settings"]["network"], cell["settings"]["cut"]


def draw(axes: tuple, named: set, network: str, name: str, size: float, pa: float, ssim: float, look: dict) -> None:
    """One cell in both plots; what it is stands in the legend once."""
    label = None if (name, network) in named else f"{name}, {network}"
    named.add((name, network))
    for each, height in zip(axes, (pa, ssim), strict=True):
        each.scatter([size], [height], label=label if each is axes[1] else None, marker=MARKS[network], **look)


def main() -> None:
    plt.rcParams.update({"svg.hashsalt": "photos", "svg.fonttype": "none", "font.size": 9})
    result = json.loads(cells.RESULT.read_text())
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
    for found in result["photo_itself"].values():
        for kind, style in (("JPEG", "-"), ("WebP", "--")):
            rows = [row for row in found["rows"] if row["kind"] == kind]
            shares = [row["accuracy"] / found["accuracy"] for row in rows]
            left.plot([row["bytes"] for row in rows], shares, style, color="black", lw=1, label=f"the photo, {kind}")
    seen = set()
    for cell in result["cells"]:
        if "decoder" not in cell:
            continue
        network, cut = place(cell)
        method = "none" if cell["cell"].startswith("none:") else cell["settings"]["method"]
        size = uint8_bytes(network, cut) if method == "none" else cell["bytes"]
        colour = COLOURS.get(method, RIVAL)
        name = {"none": "unprotected, uint8", "pripro": "PriPro behind a waist"}.get(method, "rivals, same waist")
        look = {"color": colour, "s": 28, "alpha": 0.85, "linewidths": 0}
        draw((left, right), seen, network, name, size, cell["PA"], cell["decoder"]["ssim"], look)
    for cell in json.loads(product.RESULT.read_text())["cells"]:
        network, _, method, *_ = cell["cell"].split("-")
        name = {"pripro": "pripro protect", "none": "the same without noise"}.get(method, "the same with a rival")
        size, ssim = cell["message_bytes"]["mean"], cell["attacks"]["residual_decoder"]["ssim"]
        look = {"color": COLOURS.get(method, RIVAL), "s": 36, "edgecolors": "black", "linewidths": 0.8, "zorder": 3}
        draw((left, right), seen, network, name, size, cell["PA"], ssim, look)
    floor = max(cell["floors"]["mean_photo"]["ssim"] for cell in result["cells"] if "mean_photo" in cell["floors"])
    right.axhline(floor, color="black", lw=0.8, ls=":", label="floor: the answer alone")
    left.axhline(0.99, color="black", lw=0.8, ls=":")
    for axes, title in ((left, "accuracy that is left (PA)"), (right, "SSIM of a decoder's picture")):
        axes.set_xscale("log")
        axes.set_xlabel("bytes that cross, mean (log)")
        axes.set_title(title)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_ylim(0.85, 1.01)
    right.set_ylim(0, 1)
    left.legend(frameon=False, fontsize=7, loc="lower right")
    right.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.tight_layout()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
