"""Do attackers trained with bfloat16 convolutions rank as they do in float32? On photos, without protection.

    python benchmarks/privacy/precision.py resnet --cut layer3

Networks and photos are those of decoders.py. Both precisions start from the same weights and see the same batches;
attacks always run in float32. The result goes to benchmarks/results/privacy_precision.json.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

import torch
from decoders import HERE, HOW, judged

from toolkit.attacks.base import Budget
from toolkit.evaluate.attacking import Setting, attack_victim, build_attack
from toolkit.evaluate.judge import judge_of
from toolkit.evaluate.units import from_unit
from toolkit.evaluate.victim import Victim
from toolkit.protections.none import NoProtection
from toolkit.records.tools import tool_versions

RESULT = HERE.parent / "results" / "privacy_precision.json"
ATTACKS = ("inverse_network", "residual_decoder", "adversarial_decoder", "prior_decoder")


def tried(victim: Victim, setting: Setting) -> dict[str, dict]:
    """Every attack of one precision; those that start from the shared decoder share it."""
    shared: dict = {}
    found = {}
    for name in ATTACKS:
        started = time.process_time()
        outcome = attack_victim(build_attack(name), victim, setting, task=None, shared=shared)
        found[name] = {**judged(outcome), "cpu_seconds": round(time.process_time() - started, 1)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("--cut", required=True)
    parser.add_argument("--attacker", type=int, default=2000)
    parser.add_argument("--test", type=int, default=500)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    sys.path.insert(0, str(HERE / "photos"))
    import data
    import networks

    network = networks.BUILD[arguments.network]()
    network.load_state_dict(torch.load(data.ROOT / f"{arguments.network}.pt", weights_only=True))
    network.eval().requires_grad_(False)
    at = [name for name, _ in network.named_children()].index(arguments.cut) + 1
    head, tail = network[:at], network[at:]
    photos, test = data.part("attacker").photos[: arguments.attacker], data.part("test")
    units = test.photos[: arguments.test].float() / 255
    setting = Setting(
        attacker=from_unit(photos.float() / 255, HOW), test=from_unit(units, HOW), photos=units,
        labels=test.labels[: arguments.test], judge=judge_of(head, tail, HOW), preprocess=HOW, seed=0,
    )  # fmt: skip
    with torch.no_grad():
        shape = tuple(head(setting.test[:1]).shape[1:])
    victim = Victim(head, tail, NoProtection(shape))
    rows = []
    for seed in range(arguments.seeds):
        row: dict = {"seed": seed}
        for name, bfloat16 in (("float32", False), ("bfloat16", True)):
            budget = Budget(steps=arguments.steps, rounds=1, rates=(3e-3,), bfloat16=bfloat16)
            row[name] = tried(victim, replace(setting, seed=seed, budget=budget))
        for measure in ("ssim", "recognised"):
            row[f"ranks by {measure}"] = {
                name: sorted(ATTACKS, key=lambda attack: -row[name][attack][measure])
                for name in ("float32", "bfloat16")
            }
        rows.append(row)
    told = {
        "network": arguments.network, "cut": arguments.cut, "settings": vars(arguments), "rows": rows,
        "bfloat16_here": bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()), "threads": torch.get_num_threads(),
        "versions": tool_versions("torch"), "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }  # fmt: skip
    RESULT.write_text(json.dumps(told, indent=1) + "\n")
    for row in rows:
        for name in ATTACKS:
            for kind in ("float32", "bfloat16"):
                one = row[kind][name]
                print(name, kind, f"SSIM {one['ssim']:.3f}, recognised {one['recognised']:.3f}, {one['cpu_seconds']} s")


if __name__ == "__main__":
    main()
