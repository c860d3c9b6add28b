"""Do bfloat16 and the channels-last layout make a head faster on this CPU? Interleaved; ratios of one run.

A head as it stands before a frozen tail (forward), and as `protect --train all` trains it (forward and backward).

python benchmarks/data/cpu_head.py --out benchmarks/results/cpu_head.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

BATCH, SIDE, ROUNDS = 16, 224, 9
NETWORKS = (("resnet18", "layer2"), ("mobilenet_v2", "features.6"))


def measure(name: str, cut: str) -> dict[str, object]:
    from toolkit.partition.network import load_network
    from toolkit.partition.split import split

    head = split(load_network(name, (3, SIDE, SIDE), None, None), cut, check=False).head.eval()
    images = torch.randn(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    last = images.to(memory_format=torch.channels_last)
    variants = {
        "fp32": (images, False),
        "fp32 channels_last": (last, False),
        "bf16": (images, True),
        "bf16 channels_last": (last, True),
    }
    with torch.no_grad():
        forward = compared(head, variants)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = head(images).float()
        exact = head(images)
    error = ((rounded - exact).square().mean() / exact.square().mean()).sqrt().item()
    step = compared(head.requires_grad_(True), variants)
    return {
        "network": name, "cut": cut, "time_by_fp32": forward, "step_by_fp32": step, "relative_error_bf16": error,
    }  # fmt: skip


def compared(head: torch.nn.Module, variants: dict[str, tuple[torch.Tensor, bool]]) -> dict[str, float]:
    """Median ratio of each variant's time to fp32's; with the backward pass where gradients are wanted."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS + 1):
        for name, (photo, half) in variants.items():
            head.zero_grad()
            began = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                features = head(photo)
            if torch.is_grad_enabled():
                features.float().square().mean().backward()
            times[name].append(time.perf_counter() - began)
    return {
        name: statistics.median(a / b for a, b in zip(found[1:], times["fp32"][1:], strict=True))
        for name, found in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(*network) for network in NETWORKS]
    for row in rows:
        print(row, flush=True)
    if wanted.out is not None:
        from toolkit.records.machine import this_host
        from toolkit.records.tools import tool_versions

        result = {"batch": BATCH, "side": SIDE, "rounds": ROUNDS, "threads": 1, "rows": rows}
        result |= {"device": this_host().model_dump(), "tools": tool_versions("torch")}
        wanted.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
