"""How wrong are the plan's predictions, and how much does its recommendation lose against measuring every cut?

    python benchmarks/latency/plan_accuracy.py --networks alexnet,resnet18,vgg16,resnet50 --target onnx

For each network: predict from a few measured cuts, then convert and measure every cut's head and tail, and compare
at 1, 5, 20 and 100 Mbps. Prints one line of JSON per network.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from toolkit.measurement.condition import this_host
from toolkit.measurement.timing import Effort
from toolkit.network import Network, load_network
from toolkit.partition import split, whole
from toolkit.plan import CLOUD, EDGE_ONLY, TAIL_TARGET, Prediction, Setting, block_of, choices_of, predict, usable_cuts
from toolkit.planning.measuring import Piece, time_pieces
from toolkit.planning.network import Link
from toolkit.planning.options import Choice, crossings
from toolkit.planning.photos import upload_of

BATCH = 8
RATES_MBPS = (1, 5, 20, 100)
#: (phone ms / host ms, server ms / host ms): this host as both, and a phone beside a server ten times faster
WORLDS = ((1.0, 1.0), (2.0, 0.1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default="alexnet,resnet18,vgg16,resnet50")
    parser.add_argument("--target", default="onnx")
    parser.add_argument("--protection", default="pripro")
    parser.add_argument("--measured", type=int, default=6)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    for name in arguments.networks.split(","):
        network = load_network(name, (3, 224, 224))
        setting = Setting(
            link=Link(20, 40),
            upload=upload_of(None, 224, 224),
            protection=arguments.protection,
            target=arguments.target,
            measured=arguments.measured,
            effort=Effort(arguments.samples, arguments.seconds),
        )
        prediction = predict(network, setting, tell)
        truth = exhaustive(network, setting, prediction)
        print(json.dumps({"host": this_host().model_dump()} | compare(network, setting, prediction, truth)), flush=True)


def tell(share: float, text: str) -> None:
    print(f"{share:4.0%} {text}", file=sys.stderr)


def exhaustive(network: Network, setting: Setting, prediction: Prediction) -> Prediction:
    """Measure every head and every tail; batches share one reference, the whole network, so that drift cancels."""
    cuts = usable_cuts(network, setting.protection)
    everything = whole(network)
    reference = Piece(CLOUD, everything, None, network.image, None, TAIL_TARGET, "fp32")
    head_ms, tail_ms = {}, {}
    jobs: list[tuple[dict[str, float], str, Piece]] = [
        (head_ms, EDGE_ONLY, Piece(EDGE_ONLY, everything, None, network.image, None, setting.target, setting.precision))
    ]
    for cut in cuts:
        halves = split(network, cut.name, check=False)
        block = block_of(setting.protection, cut.shape)
        eps = None if block is None else block.eps_shape()
        head = Piece(f"head {cut.name}", halves.head, block, network.image, eps, setting.target, setting.precision)
        jobs.append((head_ms, cut.name, head))
        jobs.append(
            (tail_ms, cut.name, Piece(f"tail {cut.name}", halves.tail, None, cut.shape, None, TAIL_TARGET, "fp32"))
        )
    references = []
    shares: list[tuple[dict[str, float], str, float]] = []
    for start in range(0, len(jobs), BATCH):
        batch = jobs[start : start + BATCH]
        with tempfile.TemporaryDirectory() as folder:
            pieces = [reference, *(piece for _, _, piece in batch)]
            times = time_pieces(pieces, Path(folder), setting.threads, setting.effort, tell)
        references.append(times[0].p50_ms)
        shares.extend(
            (into, name, t.p50_ms / times[0].p50_ms) for (into, name, _), t in zip(batch, times[1:], strict=True)
        )
    unit = statistics.median(references)
    tail_ms[CLOUD] = unit
    for into, name, share in shares:
        into[name] = share * unit
    return dataclasses.replace(prediction, head_ms=head_ms, tail_ms=tail_ms)


def compare(network: Network, setting: Setting, prediction: Prediction, truth: Prediction) -> dict[str, object]:
    unmeasured = [cut.name for cut in prediction.cuts if cut.name not in prediction.measured_heads]
    errors = {name: prediction.head_ms[name] / truth.head_ms[name] - 1 for name in unmeasured}
    return {
        "network": network.source,
        "target": setting.target,
        "protection": setting.protection,
        "cuts": len(prediction.cuts),
        "measured": len(prediction.measured_heads) - 1,
        "head_error_median_share": statistics.median(abs(error) for error in errors.values()),
        "head_error_worst_share": max(abs(error) for error in errors.values()),
        "stated_error_median_share": prediction.model.error_median,
        "head_errors": {name: round(error, 4) for name, error in errors.items()},
        "measured_head_ms": {name: round(ms, 3) for name, ms in truth.head_ms.items()},
        "measured_tail_ms": {name: round(ms, 3) for name, ms in truth.tail_ms.items()},
        "recommendations": [regret(network, setting, prediction, truth, world) for world in WORLDS],
        "doubts": sorted({time.flag for time in prediction.measured_heads.values()} - {""}),
    }


def regret(
    network: Network, setting: Setting, prediction: Prediction, truth: Prediction, world: tuple[float, float]
) -> dict[str, object]:
    """How much slower the recommended option is than the best one, both by what was measured."""
    here = dataclasses.replace(setting, device_factor=world[0], server_factor=world[1])
    guessed, real = choices_of(network, here, prediction), choices_of(network, here, truth)
    by_label = {choice.label: choice for choice in real}
    found = []
    for mbps in RATES_MBPS:
        link = Link(mbps, setting.link.rtt_ms)
        line: dict[str, object] = {"mbps": mbps}
        for kind, keep in (("any", {"split", "edge-only", "cloud-only"}), ("split", {"split"})):
            chosen = by_label[best(guessed, keep, link).label]
            ideal = best(real, keep, link)
            line[kind] = chosen.label
            line[f"best_{kind}"] = ideal.label
            line[f"loss_{kind}_share"] = chosen.total_ms(link) / ideal.total_ms(link) - 1
        found.append(line)
    return {
        "phone_factor": world[0],
        "server_factor": world[1],
        "at": found,
        "crossings": [item.model_dump() for item in crossings(guessed, setting.link.rtt_ms)],
    }


def best(choices: Sequence[Choice], keep: set[str], link: Link) -> Choice:
    """Fastest of the options of these kinds."""
    return min((choice for choice in choices if choice.option in keep), key=lambda choice: choice.total_ms(link))


if __name__ == "__main__":
    main()
