"""Which Core ML operators do protected heads use, and does the reference evaluator know them all?

    python benchmarks/coreml_ops.py [--pixels 224] [--write benchmarks/results/coreml_ops.md]

Families of torchvision and timm, an early and a middle cut each, through the project's own converter: seven in every
precision, the others in half precision, whose operators are those of the others but for compressed weights. Exit status
1 if any operator is missing. A network that this project refuses is a row with its sentence.

All of it takes an hour; pieces of it, each a page of its own, become one page with --join:

    python benchmarks/coreml_ops.py vgg16 alexnet > piece-1.md
    python benchmarks/coreml_ops.py --join piece-*.md --write benchmarks/results/coreml_ops.md
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import torch

from converters.base import HeadProgram
from converters.coreml_reference import package
from converters.coreml_reference.ops import FUNCTIONS
from converters.to_coreml import ToCoreml
from toolkit.errors import PriproError
from toolkit.partition.cuts import Cut, list_cuts
from toolkit.partition.network import load_network
from toolkit.partition.split import split
from toolkit.protect.protected import features_of
from toolkit.protections.pripro import PriPro
from toolkit.records.tools import tool_versions

FAMILIES = ("alexnet", "vgg11_bn", "vgg16", "resnet18", "resnet50", "mobilenet_v3_small", "efficientnet_b0")
IN_HALF = (
    "squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v2", "densenet121", "googlenet", "mnasnet0_5", "regnet_y_400mf",
    "efficientnet_v2_s", "convnext_tiny", "swin_t", "swin_v2_t", "vit_b_16", "maxvit_t",
    "timm.models.deit:deit_tiny_patch16_224", "timm.models.mlp_mixer:mixer_s16_224",
    "timm.models.mobilevit:mobilevit_xxs", "timm.models.mobilevit:mobilevitv2_050",
    "timm.models.edgenext:edgenext_xx_small", "timm.models.convnext:convnextv2_atto", "timm.models.levit:levit_128s",
    "timm.models.efficientformer:efficientformer_l1", "timm.models.ghostnet:ghostnet_050",
    "timm.models.byobnet:repvgg_a0", "timm.models.fastvit:fastvit_t8", "timm.models.metaformer:poolformer_s12",
)  # fmt: skip


def operators(mlpackage: Path) -> Counter[str]:
    """Count the operator types of a saved package."""
    spec = package.read_spec(package.model_file(mlpackage))
    main = spec.mlProgram.functions["main"]
    return Counter(operation.type for operation in main.block_specializations[main.opset].operations)


def early_and_middle(cuts: list[Cut]) -> dict[str, Cut]:
    """The cut points after about 1/10 and about 4/10 of the network's arithmetic, where features have positions."""
    placed = [cut for cut in cuts if len(cut.shape) == 3]
    total = cuts[0].head_macs + cuts[0].tail_macs
    return {
        name: min(placed, key=lambda cut: abs(cut.head_macs / total - share))
        for name, share in (("early", 0.1), ("middle", 0.4))
    }


def measured(families: tuple[str, ...], pixels: int) -> tuple[list[str], Counter[str]]:
    """Convert; the rows, and in how many heads each operator is."""
    rows: list[str] = []
    used: Counter[str] = Counter()
    for family in families:
        try:
            network = load_network(family, (3, pixels, pixels))
            cuts = early_and_middle(list_cuts(network))
        except PriproError as error:
            rows.append(f"| {family} | | | | not cut: {error} |")
            print(rows[-1], file=sys.stderr, flush=True)
            continue
        for where, cut in cuts.items():
            halves = split(network, cut.name, check=False)
            features = features_of(halves.cut.shape)
            block = PriPro(features).eval()
            image = torch.rand(1, *network.image)
            head = HeadProgram(halves.head, block, image, torch.randn(1, *features))
            for precision in ToCoreml.precisions if family in FAMILIES else ("fp16",):
                with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                    warnings.simplefilter("ignore", ResourceWarning)  # coremltools never closes its own folder
                    made = ToCoreml().convert(head, Path(folder), precision=precision, backend=ToCoreml.backends[0])
                    found = operators(Path(folder) / made.entry)
                missing = sorted(set(found) - set(FUNCTIONS) - {"const"})
                used.update(dict.fromkeys(found, 1))
                rows.append(
                    f"| {family} | {where}: {cut.name} | {precision} | {len(found)} | {', '.join(missing) or 'none'} |"
                )
                print(rows[-1], file=sys.stderr, flush=True)
    return rows, used


def joined(pages: list[Path]) -> tuple[list[str], Counter[str]]:
    """What several pages say together."""
    rows: list[str] = []
    used: Counter[str] = Counter()
    for page in pages:
        told = page.read_text()
        rows += [line for line in told.splitlines() if line.startswith("| ") and not line.startswith("| network |")]
        counts = re.search(r"heads each: (.*)\.", told)
        if counts:
            used.update({name: int(count) for name, count in re.findall(r"(\w+) (\d+)", counts[1])})
    order = {family: place for place, family in enumerate((*FAMILIES, *IN_HALF))}
    return sorted(rows, key=lambda row: order.get(row.split("|")[1].strip(), len(order))), used


def main() -> int:
    """Convert, count, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--join", type=Path, nargs="+", help="pages to put together; nothing is converted")
    parser.add_argument("families", nargs="*", help="only these")
    options = parser.parse_args()
    torch.manual_seed(0)
    if options.join:
        rows, used = joined(options.join)
    else:
        rows, used = measured(tuple(options.families) or (*FAMILIES, *IN_HALF), options.pixels)
    lacking = sorted(set(used) - set(FUNCTIONS) - {"const"})
    tools = tool_versions("coremltools", "torch", "torchvision", "timm")
    versions = ", ".join(f"{name} {version}" for name, version in tools.items())
    text = "\n".join([
        f"# Core ML operators of protected heads, {options.pixels} px", "",
        f"Versions: {versions}.", "",
        "| network | cut | precision | operator types | missing from the evaluator |", "|---|---|---|---|---|", *rows,
        "",
        f"{len(used)} operator types in all, in how many of the {len(rows)} heads each: "
        + ", ".join(f"{name} {count}" for name, count in sorted(used.items())) + ".", "",
        f"Missing: {', '.join(lacking) or 'none'}. The evaluator knows {len(FUNCTIONS)}.",
    ])  # fmt: skip
    print(text)
    if options.write:
        options.write.write_text(text + "\n")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
