"""PriPro's attention at rank 4 beside the same at rank 3: values, delegates, latency and memory on this host.

Rank-3 batched products are reported silently wrong on GPU delegates (LiteRT issue 8619), so the block multiplies
[B,1,N,C'] x [B,1,C',N] instead of [B,N,C'] x [B,C',N]. The rank-3 form stands below, to be measured in the same run.
Latency and memory as in head_overhead.py: full precision on XNNPACK, one thread, in turns; ratios only.

A .tflite head is measured in two forms, too: with its product's transposition as a flag, which LiteRT's GPU parser
ignores (issue 8913), and with an operator of its own in front, as the converter writes it.

    python benchmarks/attention_rank.py --out benchmarks/results/attention_rank.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "parity")]

import torch  # noqa: E402
from head_overhead import latency, memory, photo  # noqa: E402
from stamp import stamp  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from converters import to_tflite  # noqa: E402
from converters._quiet import quiet  # noqa: E402
from converters.base import HeadProgram  # noqa: E402
from converters.to_executorch import ToExecutorch, count_operators, lower  # noqa: E402
from toolkit.partition.network import load_network  # noqa: E402
from toolkit.partition.split import split  # noqa: E402
from toolkit.protections.pripro import AttentionMap, PriPro  # noqa: E402

NETWORKS = {"resnet18": "layer2", "mobilenet_v3_small": "features.3"}


class RankThree(AttentionMap):
    """The map as it was: products of rank 3."""

    def forward(self, smashed: Tensor) -> Tensor:
        small = self._unit_power(functional.max_pool2d(smashed, self.pool) if self.pool != (1, 1) else smashed)
        query = self.query(small).flatten(2).transpose(1, 2)
        key = self.key(small).flatten(2)
        attention = torch.softmax(torch.bmm(query, key), dim=-1)
        rows = (attention - 1.0 / attention.shape[1]).unflatten(2, self.pooled)
        received = functional.conv2d(rows, self.ones)
        return functional.interpolate(self._unit(received), size=self.size, mode="bilinear", align_corners=False)


def measure(network: str, cut: str, rounds: int, repeats: int) -> dict[str, Any]:
    """Compare both forms on one head with random weights."""
    torch.manual_seed(0)
    backbone = split(load_network(network, (3, 224, 224)), cut, check=False).head
    photos = [photo(224, index) for index in range(2)]
    with torch.no_grad():
        smashed = backbone(photos[0])
    features = tuple(smashed.shape[1:])
    new, old = PriPro(features).eval(), PriPro(features).eval()
    old.load_state_dict(new.state_dict())
    old.attention.__class__ = RankThree
    for block in (new, old):
        block.start_from(smashed, torch.Generator().manual_seed(0))
    eps = torch.randn(smashed.shape)
    with torch.no_grad():
        differences = [float((new(backbone(image), eps) - old(backbone(image), eps)).abs().max()) for image in photos]
    blocks = {"plain": None, "rank 3": old, "rank 4": new}
    with tempfile.TemporaryDirectory() as folder:
        files, delegates = {}, {}
        for name, block in blocks.items():
            head = HeadProgram(backbone, block, photos[0], None if block is None else eps, photos)
            out = Path(folder) / name.replace(" ", "")
            out.mkdir()
            files[name] = out / ToExecutorch().convert(head, out, precision="fp32", backend="xnnpack").entry
            with quiet():
                counts = count_operators(lower(head, "fp32", "xnnpack").exported_program().graph_module)
            delegates[name] = {"delegates": counts.delegates, "outside": dict(counts.outside)}
        pairs = {"rank 4 / rank 3": ("rank 3", "rank 4"), "rank 4 / plain": ("plain", "rank 4")}
        found = {label: {"plain": files[below], "protected": files[above]} for label, (below, above) in pairs.items()}
        return {
            "network": network,
            "cut": cut,
            "largest_difference": max(differences),
            "delegates": delegates,
            "tflite": lite(HeadProgram(backbone, new, photos[0], eps), Path(folder), rounds, repeats),
            "latency_ratio": {label: latency(pair, rounds, 10)["ratio"] for label, pair in found.items()},
            "memory_ratio": {label: memory(pair, repeats)["ratio"] for label, pair in found.items()},
        }


def lite(head: HeadProgram, folder: Path, rounds: int, repeats: int) -> dict[str, Any]:
    """Compare a .tflite head with flags in its products to one with transpositions."""
    files = {}
    for name, mend in (("plain", bytes), ("protected", to_tflite.upright)):
        out = folder / f"tflite-{name}"
        out.mkdir()
        with mock.patch.object(to_tflite, "upright", mend):
            files[name] = out / to_tflite.ToTflite().convert(head, out, precision="fp32", backend="cpu").entry
    feed = dict(zip(("image", "eps"), (each.numpy() for each in head.example()), strict=True))
    flags, upright = (to_tflite.ToTflite().load(path).run(feed) for path in files.values())
    return {
        "products": {name: products(path) for name, path in zip(("flags", "upright"), files.values(), strict=True)},
        "outside_xnnpack": len(to_tflite.ToTflite().refused(files["protected"], "cpu") or {}),
        "largest_difference": float(abs(flags - upright).max()),
        "latency_ratio": latency(files, rounds, 10)["ratio"],
        "memory_ratio": memory(files, repeats)["ratio"],
    }


def products(path: Path) -> list[dict[str, Any]]:
    """What a .tflite head multiplies: shapes, and whether a flag turns an operand."""
    return [
        {"shapes": [value.shape for value in each.inputs]} | {flag: each.attributes[flag] for flag in ("adjX", "adjY")}
        for each in to_tflite.ToTflite().operators(path)
        if each.kind == "BATCH_MATMUL"
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    for network, cut in NETWORKS.items():
        rows.append(measure(network, cut, arguments.rounds, arguments.repeats))
        print(json.dumps(rows[-1]), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({**stamp(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
