"""Lay benchmarks/results/photos_product.json out for people: nine cuts against their goals, then every cell.

    python benchmarks/privacy/photos/table.py     # writes benchmarks/results/photos_product.md

Of each cut the first table has the PriPro cell that keeps most accuracy, among those with today's loss (the noise held
to the codes) and those that were judged by 5,000 validation photos, where there are any.
"""

import json
from collections.abc import Iterable
from typing import Any

from networks import CUTS
from product import RESULT, VALIDATION

DEPTHS = ("early", "middle", "late")
#: what a cell is to reach: PA at least, the attackers' figures at most
PA, SSIM, RECOGNISED, FOUND = 0.99, {"late": 0.30, "middle": 0.30, "early": 0.45}, 0.25, 0.20
ONE_OF_100 = "re-identified of 100"

Row = dict[str, Any]


def main() -> None:
    cells = json.loads(RESULT.read_text())["cells"]
    parts = [
        "# `pripro protect` on photos\n",
        "Made by `benchmarks/privacy/photos/table.py` from `photos_product.json`; benchmarks/privacy/photos/product.md",
        "says what the columns mean and what follows.\n",
        "## Against the goals\n",
        *goals(cells),
        "\n## Every cell\n",
        *every(cells),
    ]
    RESULT.with_suffix(".md").write_text("\n".join(parts) + "\n")


def goals(cells: list[Row]) -> Iterable[str]:
    """The best PriPro cell of each cut; a figure that misses its goal is in italics."""
    yield "| cut | cell | mean bytes | PA | SSIM | recognised | one of 100: decoder | linker |"
    yield "|---|---|---|---|---|---|---|---|"
    for number, depth in enumerate(DEPTHS):
        most = (SSIM[depth], RECOGNISED, FOUND, FOUND)
        yield f"| goal, {depth} | | JPEG's | {PA} | {' | '.join(f'{goal:.2f}' for goal in most)} |"
        for network, cuts in CUTS.items():
            place = f"{network}-{cuts[number]}"
            here = [cell for cell in cells if cell["cell"].startswith(f"{place}-pripro")]
            best = max(here, key=lambda cell: (cell["noise_held"], cell["validation_images"] == VALIDATION, cell["PA"]))
            decoder, linker = (best["attacks"][name] for name in ("residual_decoder", "linker"))
            found = (decoder[ONE_OF_100], linker[ONE_OF_100])
            seen = zip((decoder["ssim"], decoder["recognised"], *found), most, strict=True)
            figures = [judged(best["PA"], best["PA"] >= PA), *(judged(value, value <= goal) for value, goal in seen)]
            yield f"| {place} | {best['cell']} | {best['message_bytes']['mean']:.1f} | {' | '.join(figures)} |"


def judged(value: float, met: bool) -> str:
    return f"{value:.3f}" if met else f"*{value:.3f}*"


def every(cells: list[Row]) -> Iterable[str]:
    """One line for each cell; their names begin with network and cut."""
    yield (
        "| cell | epochs | waist | bytes: mean, 99 % | at most bits | PA | allowed | strength | SSIM | recognised "
        "| one of 100: decoder, linker | of 1,000: linker | validation photos | noise held to the codes |"
    )
    yield "|" + "---|" * 14
    for cell in sorted(cells, key=lambda cell: cell["cell"]):
        said, size = cell["settings"], cell["message_bytes"]
        decoder, linker = (cell["attacks"][name] for name in ("residual_decoder", "linker"))
        bits = cell["certificate"]["capacity_bits"]
        yield "| " + " | ".join([
            cell["cell"],
            f"{said['epochs']:.0f}",
            " x ".join(map(str, cell["waist"])),
            f"{size['mean']:.1f}, {size['p99']:.0f}",
            "" if bits is None else f"{bits:.0f}",
            f"{cell['PA']:.3f}",
            f"{said['max_accuracy_drop']:.1%}",
            f"{said['strength']:.2g}",
            f"{decoder['ssim']:.3f}",
            f"{decoder['recognised']:.2f}",
            f"{decoder[ONE_OF_100]:.2f}, {linker[ONE_OF_100]:.2f}",
            f"{linker['re-identified of 1000']:.2f}",
            f"{cell['validation_images']:,}",
            "yes" if cell["noise_held"] else "no",
        ]) + " |"  # fmt: skip


if __name__ == "__main__":
    main()
