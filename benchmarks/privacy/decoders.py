"""Is the default decoder stronger than the inverse network that reports used before? On photos, without protection.

    python benchmarks/privacy/decoders.py resnet --cuts layer1,layer2,layer3

Networks and photos are those of benchmarks/privacy/photos (build/photos/NAME.pt, photos.npy, labels.npy). The inverse
network is trained as `pripro evaluate` did until 2026-11-26: 1,000 photos, 15 epochs, mean squared error; and once more
with the photos and steps of the default decoder, which tells the network's part from that of the longer training.
The judge is the network under attack; the second judge is the ResNet, the best of the three, whoever is attacked.
Results are added to benchmarks/results/privacy_decoders.json, cell by cell.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from toolkit.attacks.base import Budget
from toolkit.evaluate.attacking import Setting, attack_victim, build_attack, without_looking
from toolkit.evaluate.judge import Judge, judge_of
from toolkit.evaluate.metrics.interval import share_interval
from toolkit.evaluate.outcome import Outcome
from toolkit.evaluate.units import from_unit
from toolkit.evaluate.victim import Victim
from toolkit.protections.none import NoProtection
from toolkit.records.bundle import Preprocess
from toolkit.records.tools import tool_versions

HERE = Path(__file__).parent
RESULT = HERE.parent / "results" / "privacy_decoders.json"
HOW = Preprocess(
    channels=3, height=32, width=32, mean=[0.4914, 0.4822, 0.4465], std=[0.2470, 0.2435, 0.2616]
)  # fmt: skip
BEFORE = Budget(steps=300, rounds=1, rates=(3e-3,), batch=50)


def cell(
    network: torch.nn.Sequential, cut: str, arguments: argparse.Namespace, data: ModuleType, second: Judge
) -> dict:
    at = [name for name, _ in network.named_children()].index(cut) + 1
    head, tail = network[:at], network[at:]
    attacker, test = data.part("attacker"), data.part("test")
    mine = from_unit(attacker.photos[: arguments.attacker].float() / 255, HOW)
    photos = test.photos[: arguments.test].float() / 255
    setting = Setting(
        attacker=mine, test=from_unit(photos, HOW), photos=photos, labels=test.labels[: arguments.test],
        judge=judge_of(head, tail, HOW), preprocess=HOW, seed=0,
        budget=Budget(steps=arguments.steps, rounds=arguments.rounds, rates=tuple(arguments.rates)),
    )  # fmt: skip
    with torch.no_grad():
        shape = tuple(head(setting.test[:1]).shape[1:])
    found: dict = {"network": arguments.network, "cut": cut, "features": shape}
    found["settings"] = {key: getattr(arguments, key) for key in ("attacker", "test", "steps", "rounds", "rates")}
    everything = test.photos.float() / 255
    for called, judge in (("judge", setting.judge), ("second_judge", second)):
        found[f"{called}_on_real_photos"] = hits(judge, everything, test.labels).mean().item()
    found["mean photo"] = judged(without_looking(setting))
    tried: list[tuple[str, str, dict]] = [
        ("inverse_network", "inverse_network", {"attacker": mine[:1000], "budget": BEFORE}),
        ("residual_decoder", "residual_decoder", {}),
    ]
    if arguments.as_long:
        tried.append(("inverse_network, as long", "inverse_network", {}))
    for called, name, changes in tried:
        started, wall = time.process_time(), time.monotonic()
        victim = Victim(head, tail, NoProtection(shape))
        outcome = attack_victim(build_attack(name), victim, replace(setting, **changes), task=None)
        found[called] = {
            **judged(outcome),
            "recognised_by_second_judge": hits(second, outcome.pictures, setting.labels).mean().item(),
            "photos": len(changes.get("attacker", mine)),
            "cpu_seconds": round(time.process_time() - started), "seconds": round(time.monotonic() - wall),
            "trainings": [vars(one) for one in outcome.trainings],
        }  # fmt: skip
    return found


def hits(judge: Judge, photos: Tensor, labels: Tensor) -> Tensor:
    """1 for each photo [N,3,H,W] in [0, 1] that the judge recognises, else 0."""
    return (judge.probabilities(photos).argmax(1) == labels).float()


def judged(outcome: Outcome) -> dict:
    return {
        "ssim": outcome.ssim.mean().item(), "ssim_interval": share_interval(outcome.ssim),
        "recognised": outcome.accuracy, "recognised_interval": share_interval(outcome.right),
        "psnr_db": -10 * torch.log10(outcome.mse.mean()).item(),
        "re-identified": outcome.identified.mean(0).tolist(), "feature_distance": outcome.distance.mean().item(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("--cuts", required=True)
    parser.add_argument("--photos", type=Path, default=HERE / "photos", help="folder of data.py and networks.py")
    parser.add_argument("--attacker", type=int, default=15000)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-3, 3e-3])
    parser.add_argument("--no-as-long", dest="as_long", action="store_false", help="leave the third attacker out")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.photos))
    import data
    import networks

    def trained(name: str) -> torch.nn.Sequential:
        network = networks.BUILD[name]()
        network.load_state_dict(torch.load(data.ROOT / f"{name}.pt", weights_only=True))
        return network.eval().requires_grad_(False)

    network = trained(arguments.network)
    second = judge_of(torch.nn.Identity(), trained("resnet"), HOW)
    for cut in arguments.cuts.split(","):
        found = cell(network, cut, arguments, data, second)
        rows = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
        rows = [row for row in rows if (row["network"], row["cut"]) != (arguments.network, cut)] + [found]
        told = {
            "rows": rows, "threads": torch.get_num_threads(), "cores": os.cpu_count(),
            "versions": tool_versions("torch"), "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        }  # fmt: skip
        RESULT.write_text(json.dumps(told, indent=1) + "\n")
        print(json.dumps({name: part for name, part in found.items() if name != "features"}), flush=True)


if __name__ == "__main__":
    main()
