"""How wrong are the plan's predictions, and how much does its recommendation lose against measuring every cut?

    python benchmarks/latency/plan_accuracy.py convert WORK    # every cut's head and tail: an hour, need not be quiet
    python benchmarks/latency/plan_accuracy.py time WORK       # again until nothing is left: wants a quiet machine
    python benchmarks/latency/plan_accuracy.py compare WORK --out benchmarks/results/plan_accuracy.json

For each network, `time` first measures what `pripro plan` measures, as it does, and then, apart from that, every
head and every tail. `compare` predicts from the first alone and judges by the second, at 1, 5, 20 and 100 Mbps. Each
step goes on where it was stopped. Of cuts that differ only by an activation or a norm (same shape, same
multiply-adds) the last one stands for all.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from record import provenance, write

from toolkit.measure.timing import Effort
from toolkit.partition.cuts import Cut
from toolkit.partition.network import Network, load_network
from toolkit.plan.measuring import Converted, PieceTime, convert_piece, time_pieces
from toolkit.plan.network import Link
from toolkit.plan.options import Choice, crossings, private
from toolkit.plan.photos import upload_of
from toolkit.plan.report import (
    CLOUD,
    EDGE_ONLY,
    Prediction,
    Setting,
    Side,
    choices_of,
    chosen_cuts,
    pieces_at,
    predicted_from,
    usable_cuts,
)

Key = tuple[Side, str]
#: half of what a plan spends on each of its few pieces
TRUTH = Effort(10, 0.5)
RATES_MBPS = (1, 5, 20, 100)
#: (phone ms / host ms, server ms / host ms): this host as both; a fast and a slow phone, the server ten times faster
WORLDS = ((1.0, 1.0), (2.0, 0.1), (10.0, 0.1))
GOALS = {"any": {"split", "edge-only", "cloud-only"}, "private": {"split", "edge-only"}, "split": {"split"}}
ENDS: tuple[Key, Key] = ("head", EDGE_ONLY), ("tail", CLOUD)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["convert", "time", "compare"])
    parser.add_argument("work", type=Path)
    parser.add_argument("--networks", default="alexnet,resnet18,vgg16,resnet50")
    parser.add_argument("--target", default="executorch")
    parser.add_argument("--minutes", type=float, default=60.0, help="start no further timing after this long")
    parser.add_argument("--batch", type=int, default=16, help="pieces timed together; one of vgg16 can take 1 GB")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    setting = Setting(Link(20, 40), upload_of(None, 224, 224), target=arguments.target, encoding="uint8")
    deadline = time.monotonic() + 60 * arguments.minutes
    found = []
    for name in arguments.networks.split(","):
        folder = arguments.work / f"{name}-{arguments.target}"
        if arguments.step == "time":
            time_all(folder, setting, deadline, arguments.batch)
            continue
        network = load_network(name, (3, 224, 224))
        if arguments.step == "convert":
            convert_all(network, setting, folder)
        else:
            found.append(compare(network, setting, folder))
    if arguments.step == "compare":
        write(arguments.out, {"networks": with_earlier(found, arguments.out)})


def with_earlier(found: list[dict[str, object]], out: Path | None) -> list[dict[str, object]]:
    """Add the networks that an earlier run left in the same file; each says when and how it was measured."""
    now = provenance()
    fresh = {str(row["network"]): row | now for row in found}
    if out is None or not out.exists():
        return list(fresh.values())
    told = json.loads(out.read_text())
    shared = {key: value for key, value in told.items() if key != "networks"}
    earlier = {str(row["network"]): shared | row for row in told["networks"]}
    return list((earlier | fresh).values())


def distinct(cuts: Sequence[Cut]) -> list[Cut]:
    """Keep the last of the cuts that have the same shape after the same multiply-adds."""
    return list({(cut.shape, cut.head_macs): cut for cut in cuts}.values())


def convert_all(network: Network, setting: Setting, folder: Path) -> None:
    """Convert what is not there yet, and list it in `folder`/pieces.json, the pieces that a plan measures marked."""
    folder.mkdir(parents=True, exist_ok=True)
    cuts = distinct(usable_cuts(network, setting.protection, setting.encoding))
    planned = {cut.name for cut in chosen_cuts(cuts, setting)} | {EDGE_ONLY, CLOUD}
    listing = folder / "pieces.json"
    entries = json.loads(listing.read_text()) if listing.exists() else []
    done = {(entry["side"], entry["cut"]) for entry in entries}
    for group in ([], *([cut] for cut in cuts)):
        wanted = {(side, cut.name) for cut in group for side in ("head", "tail")} or set(ENDS)
        if wanted <= done:
            continue
        for key, piece in pieces_at(network, group, setting).items():
            if key not in wanted - done:
                continue
            begin = time.monotonic()
            made = convert_piece(piece, folder / f"{len(entries)}-{time.time_ns()}")
            files = {"entry": str(made.entry.relative_to(folder)), "inputs": str(made.inputs.relative_to(folder))}
            side, cut_name = key
            entries.append(
                {"side": side, "cut": cut_name, "planned": cut_name in planned, "target": made.target} | files
            )
            listing.write_text(json.dumps(entries, indent=1))
            print(f"{folder.name} {piece.name}: {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)


def time_all(folder: Path, setting: Setting, deadline: float, batch: int) -> None:
    """Time the plan's own pieces, then all in batches with the whole network as a common reference."""
    for name, job in jobs_of(folder, batch).items():
        path = folder / f"{name}.json"
        if path.exists() or time.monotonic() > deadline:
            continue
        begin = time.monotonic()
        effort = setting.effort if name == "plan" else TRUTH
        times = time_pieces(list(job.values()), setting.threads, effort, lambda share, text: None)
        path.write_text(json.dumps([[*key, t.p50_ms, t.flag] for key, t in zip(job, times, strict=True)]))
        print(f"{folder.name} {name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


def jobs_of(folder: Path, batch: int) -> dict[str, dict[Key, Converted]]:
    """What is timed together: what a plan measures, and everything in batches."""
    entries = json.loads((folder / "pieces.json").read_text())
    pieces: dict[Key, Converted] = {
        (entry["side"], entry["cut"]): Converted(
            f"{entry['side']} {entry['cut']}", entry["target"], folder / entry["entry"], folder / entry["inputs"]
        )
        for entry in entries
    }
    planned = [(entry["side"], entry["cut"]) for entry in entries if entry["planned"]]
    others = [key for key in pieces if key != ENDS[1]]
    jobs = {"plan": planned} | {
        f"batch{start // batch}": [ENDS[1], *others[start : start + batch]] for start in range(0, len(others), batch)
    }
    return {name: {key: pieces[key] for key in keys} for name, keys in jobs.items()}


def read_times(path: Path) -> dict[Key, PieceTime]:
    return {(side, cut): PieceTime(ms, flag) for side, cut, ms, flag in json.loads(path.read_text())}


def measured(folder: Path, prediction: Prediction) -> Prediction:
    """Put the measurements of all cuts in the place of the predictions; drift between batches is taken out."""
    batches = [read_times(path) for path in sorted(folder.glob("batch*.json"))]
    unit = statistics.median(batch[ENDS[1]].p50_ms for batch in batches)
    ms = {key: found.p50_ms / batch[ENDS[1]].p50_ms * unit for batch in batches for key, found in batch.items()}
    head_ms, tail_ms = ({name: value for (on, name), value in ms.items() if on == side} for side in ("head", "tail"))
    return dataclasses.replace(prediction, head_ms=head_ms, tail_ms=tail_ms)


def compare(network: Network, setting: Setting, folder: Path) -> dict[str, object]:
    """Predict from the plan's measurement and judge by the other one."""
    usable = usable_cuts(network, setting.protection, setting.encoding)
    cuts = distinct(usable)
    prediction = predicted_from(network, setting, cuts, read_times(folder / "plan.json"))
    truth = measured(folder, prediction)
    errors = {
        cut.name: prediction.head_ms[cut.name] / truth.head_ms[cut.name] - 1
        for cut in cuts
        if cut.name not in prediction.measured_heads
    }
    again = {name: found.p50_ms / truth.head_ms[name] - 1 for name, found in prediction.measured_heads.items()}
    return {
        "network": network.source,
        "target": setting.target,
        "protection": setting.protection,
        "cuts": len(usable),
        "distinct_cuts": len(cuts),
        "measured_cuts": [name for name in prediction.measured_heads if name != EDGE_ONLY],
        "head_error_median_share": statistics.median(abs(error) for error in errors.values()),
        "head_error_worst_share": max(abs(error) for error in errors.values()),
        "stated_error_median_share": prediction.model.error_median,
        "stated_error_worst_share": prediction.model.error_worst,
        "head_error_shares": {name: round(error, 4) for name, error in errors.items()},
        "measured_twice_difference_shares": {name: round(error, 4) for name, error in again.items()},
        "head_ms": {name: round(ms, 3) for name, ms in truth.head_ms.items()},
        "tail_ms": {name: round(ms, 3) for name, ms in truth.tail_ms.items()},
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
        for kind, keep in GOALS.items():
            chosen = by_label[best(guessed, keep, link).label]
            ideal = best(real, keep, link)
            line[kind] = chosen.label
            line[f"{kind}_ms"] = chosen.total_ms(link)
            line[f"best_{kind}"] = ideal.label
            line[f"best_{kind}_ms"] = ideal.total_ms(link)
            line[f"loss_{kind}_share"] = chosen.total_ms(link) / ideal.total_ms(link) - 1
        found.append(line)
    return {
        "phone_factor": world[0],
        "server_factor": world[1],
        "at": found,
        "crossings": told(guessed, setting.link.rtt_ms),
        "crossings_by_measurement": told(real, setting.link.rtt_ms),
        "private_crossings": told(private(guessed), setting.link.rtt_ms),
        "private_crossings_by_measurement": told(private(real), setting.link.rtt_ms),
    }


def told(choices: Sequence[Choice], rtt_ms: float) -> list[dict[str, object]]:
    return [item.model_dump() for item in crossings(choices, rtt_ms)]


def best(choices: Sequence[Choice], keep: set[str], link: Link) -> Choice:
    """Fastest of the options of these kinds."""
    return min((choice for choice in choices if choice.option in keep), key=lambda choice: choice.total_ms(link))


if __name__ == "__main__":
    main()
