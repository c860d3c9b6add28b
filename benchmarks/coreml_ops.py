"""Which Core ML operators do protected heads use, and does the reference evaluator know them all?

    python benchmarks/coreml_ops.py [--pixels 224] [--write benchmarks/results/coreml_ops.md]

Seven families, an early and a middle cut each, every precision, through the project's own converter. Exit status 1 if
any operator is missing.
"""

from __future__ import annotations

import argparse
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
from toolkit.partition.cuts import Cut, list_cuts
from toolkit.partition.network import load_network
from toolkit.partition.split import split
from toolkit.protections.pripro import PriPro
from toolkit.records.tools import tool_versions

FAMILIES = ("alexnet", "vgg11_bn", "vgg16", "resnet18", "resnet50", "mobilenet_v3_small", "efficientnet_b0")


def operators(mlpackage: Path) -> Counter[str]:
    """Count the operator types of a saved package."""
    spec = package.read_spec(package.model_file(mlpackage))
    main = spec.mlProgram.functions["main"]
    return Counter(operation.type for operation in main.block_specializations[main.opset].operations)


def early_and_middle(cuts: list[Cut]) -> dict[str, Cut]:
    """The cut points after about 1/10 and about 4/10 of the network's arithmetic, where features have a height."""
    spatial = [cut for cut in cuts if len(cut.shape) == 3]
    total = cuts[0].head_macs + cuts[0].tail_macs
    return {
        name: min(spatial, key=lambda cut: abs(cut.head_macs / total - share))
        for name, share in (("early", 0.1), ("middle", 0.4))
    }


def main() -> int:
    """Convert, count, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    rows, used = [], Counter()
    for family in FAMILIES:
        network = load_network(family, (3, options.pixels, options.pixels))
        for where, cut in early_and_middle(list_cuts(network)).items():
            body = split(network, cut.name, check=False).head
            block = PriPro(cut.shape).eval()
            image = torch.rand(1, *network.image)
            head = HeadProgram(body, block, image, torch.randn(1, *cut.shape))
            for precision in ToCoreml.precisions:
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
    lacking = sorted(set(used) - set(FUNCTIONS) - {"const"})
    tools = tool_versions("coremltools", "torch", "torchvision")
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
