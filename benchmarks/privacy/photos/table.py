"""Lay benchmarks/results/photos_product.json out for people: nine cuts against their goals, seeds, then every cell.

    python benchmarks/privacy/photos/table.py     # writes benchmarks/results/photos_product.md

Of each cut the first table has the settings with which PriPro keeps most accuracy, among those with today's loss (the
noise held to the codes) and those that were judged by 5,000 validation photos, where there are any. Settings with
several seeds are means over them, so that no seed is chosen by what it gives.
"""

import json
import re
from collections.abc import Callable, Iterable
from statistics import mean
from typing import Any

from networks import CUTS
from product import RESULT, VALIDATION

DEPTHS = ("early", "middle", "late")
#: what a cell is to reach: PA at least, the attackers' figures at most
PA, SSIM, RECOGNISED, FOUND = 0.99, {"late": 0.30, "middle": 0.30, "early": 0.45}, 0.25, 0.20
ONE_OF_100 = "re-identified of 100"
#: words of a cell's name that say nothing of its settings
SEED_OR_LOSS = re.compile(r"seed\d+|held\d*")

Row = dict[str, Any]


def main() -> None:
    cells = json.loads(RESULT.read_text())["cells"]
    parts = [
        "# `pripro protect` on photos\n",
        "Made by `benchmarks/privacy/photos/table.py` from `photos_product.json`; benchmarks/privacy/photos/product.md",
        "says what the columns mean and what follows.\n",
        "## Against the goals\n",
        *goals(cells),
        "\n## The same settings with several seeds: mean (least to most)\n",
        *seeds(cells),
        "\n## Every cell\n",
        *every(cells),
    ]
    RESULT.with_suffix(".md").write_text("\n".join(parts) + "\n")


def trained_alike(cells: list[Row]) -> list[list[Row]]:
    """Cells that differ in their seed alone, together; in the order of their names."""
    found: dict[tuple[object, ...], list[Row]] = {}
    for cell in sorted(cells, key=lambda cell: cell["cell"]):
        words = [word for word in cell["cell"].split("-") if not SEED_OR_LOSS.fullmatch(word)]
        # the loss changed for what has a mu, which PriPro alone has
        loss = cell["noise_held"] or "pripro" not in words
        found.setdefault((*words, cell["settings"]["epochs"], loss, cell["validation_images"]), []).append(cell)
    return list(found.values())


def found_by(attack: str) -> Callable[[Row], float]:
    return lambda cell: cell["attacks"][attack][ONE_OF_100]


FIGURES: dict[str, Callable[[Row], float]] = {
    "mean bytes": lambda cell: cell["message_bytes"]["mean"],
    "PA": lambda cell: cell["PA"],
    "SSIM": lambda cell: cell["attacks"]["residual_decoder"]["ssim"],
    "recognised": lambda cell: cell["attacks"]["residual_decoder"]["recognised"],
    "one of 100: decoder": found_by("residual_decoder"),
    "linker": found_by("linker"),
}


def goals(cells: list[Row]) -> Iterable[str]:
    """PriPro's best settings at each cut; a figure that misses its goal is in italics."""
    yield f"| cut | settings of | seeds | {' | '.join(FIGURES)} |"
    yield "|---" * (3 + len(FIGURES)) + "|"
    settings = trained_alike(cells)
    for number, depth in enumerate(DEPTHS):
        most = (SSIM[depth], RECOGNISED, FOUND, FOUND)
        yield f"| goal, {depth} | | | JPEG's | {PA} | {' | '.join(f'{goal:.2f}' for goal in most)} |"
        for network, cuts in CUTS.items():
            place = f"{network}-{cuts[number]}"
            here = [alike for alike in settings if alike[0]["cell"].startswith(f"{place}-pripro")]
            best = max(here, key=preferred)
            size, kept, *seen = (mean(map(figure, best)) for figure in FIGURES.values())
            figures = [judged(kept, kept >= PA), *(judged(a, a <= b) for a, b in zip(seen, most, strict=True))]
            yield f"| {place} | {best[0]['cell']} | {len(best)} | {size:.1f} | {' | '.join(figures)} |"


def preferred(alike: list[Row]) -> tuple[bool, bool, float]:
    """Today's loss first, then the larger validation set, then what is kept."""
    one = alike[0]
    return one["noise_held"], one["validation_images"] == VALIDATION, mean(map(FIGURES["PA"], alike))


def seeds(cells: list[Row]) -> Iterable[str]:
    """One line for all seeds of the same settings."""
    yield f"| settings of | epochs | seeds | {' | '.join(FIGURES)} |"
    yield "|---" * (3 + len(FIGURES)) + "|"
    for alike in trained_alike(cells):
        if len(alike) > 1:
            figures = " | ".join(
                spread(list(map(figure, alike)), 1 if name == "mean bytes" else 3) for name, figure in FIGURES.items()
            )
            yield f"| {alike[0]['cell']} | {alike[0]['settings']['epochs']:.0f} | {len(alike)} | {figures} |"


def spread(values: list[float], digits: int) -> str:
    return f"{mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


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
