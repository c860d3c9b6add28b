"""Every verb on the networks that people put on phones: partition, protect, convert, package, serve, verify, evaluate.

    python benchmarks/networks/end_to_end.py --photos DIR [NAME ...]   # -> benchmarks/results/networks.json
    python benchmarks/networks/end_to_end.py --table                   # -> benchmarks/results/networks.md

Each verb is the real command in a process of its own; `serve` is asked once over HTTP. Weights are random
(nothing is downloaded), so PA and PI say that the verbs work, not how well a trained network is protected. What the
file has already is passed over: `--without-evaluate` first and all afterwards makes the longest verb the last.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from kinds import KINDS, Kind
from serving import serve_once

from toolkit.bundle import Bundle, write_atomically
from toolkit.records.machine import this_host
from toolkit.records.tools import tool_versions

RESULT = Path("benchmarks/results/networks.json")
WORK = Path("build/networks")
TARGETS = ("executorch", "coreml", "tflite", "onnx")
ABOUT = """# Networks of every kind, through every verb

From `networks.json`, which has the seconds and memory of every step; random weights, 100 photos (40 for the two
largest), PriPro for one epoch.
A target's cell: SQNR of its head beside eager PyTorch and operators in the delegate of all, or why there is no head.
Served: SQNR of the answer of `pripro serve` over HTTP beside eager PyTorch's. PA and PI of `--effort quick` say that
the verb works, not how well a trained network is protected; above 150 pixels no attacker draws pictures (`attribute`,
`message_length`). Other work ran beside it: seconds mean little.
"""
#: photos of a longer side are attacked by these alone, which draw no picture
LARGE, LIGHT = 150, ("attribute", "message_length")
#: seconds after which a verb is given up
LIMIT = 1500


def ask(*words: str) -> dict[str, Any]:
    """Run one verb; returns its exit code, seconds, peak memory of it and its children, and what it said."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as complaint:
        process = subprocess.Popen(
            [sys.executable, "-m", "toolkit", *words],
            stdout=told,
            stderr=complaint,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        guard = threading.Timer(LIMIT, process.kill)
        guard.start()
        _, status, usage = os.wait4(process.pid, 0)
        guard.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (told, complaint):
            file.seek(0)
        answer, errors = told.read(), complaint.read()
    found: dict[str, Any] = {"exit": process.returncode, "seconds": round(time.monotonic() - began, 1)}
    found["peak_mb"] = round(usage.ru_maxrss / 1024)
    if process.returncode:
        lines = [line for line in errors.splitlines() if line.startswith("error:")]
        found["error"] = " ".join(lines) or errors[-500:]
    return found | {"told": answer}


def head_row(bundle: Bundle, target: str, convert: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One target: what became of its head."""
    found: dict[str, Any] = {"convert": convert}
    for head in bundle.manifest.heads:
        if head.target == target:
            found["operators"], found["delegated"] = head.ops_total, head.ops_delegated
    own = [row for row in rows if row["target"] == target]
    if own:
        found["passed"] = all(row["passed"] for row in own)
        found["failed"] = [f"{row['where']}: {row['note'] or row['tolerance']}" for row in own if not row["passed"]]
        found["sqnr_db"] = min(
            (row["sqnr_db"] for row in own if row["where"] == "head" and row["sqnr_db"]), default=None
        )
    return found


def try_network(kind: Kind, photos: Path) -> dict[str, Any]:
    """Take one network through every verb; stops where a verb fails."""
    place = WORK / kind.name
    shutil.rmtree(place, ignore_errors=True)
    root, data = str(place), f"photos:{photos}"
    row: dict[str, Any] = {"network": kind.name, "source": kind.source, "input": kind.image, "cut": kind.cut}
    row["photos"] = sum(1 for file in photos.iterdir() if file.is_file())
    steps: dict[str, Any] = {}
    row["steps"] = steps

    def step(name: str, *words: str) -> dict[str, Any] | None:
        done = ask(*words, "--json")
        told = done.pop("told")
        steps[name] = done
        return json.loads(told) if done["exit"] in (0, 1) and told.lstrip().startswith("{") else None

    given = ["--input", kind.image, "--cut", kind.cut, "--crossing", str(kind.crossing), "--task", kind.task]
    if step("partition", "partition", kind.source, *given, "-o", root) is None:
        return row
    bundle = Bundle.open(place)
    row["task"] = bundle.manifest.task.name
    row["crossing"] = [f"{'x'.join(map(str, one.shape[1:]))} {one.layout}" for one in bundle.manifest.split.crossing]
    row["outputs"] = [f"{one.name} {'x'.join(map(str, one.shape[1:]))}" for one in bundle.manifest.split.outputs]
    if step("protect", "protect", root, "--epochs", "1", "--data", data, "--max-accuracy-drop", "1%") is None:
        return row
    converted = {target: ask("convert", root, "--to", target, "--json") for target in TARGETS}
    for done in converted.values():
        done.pop("told")
    if step("package", "package", root) is None:
        return row
    steps["serve"] = serve_once(place)
    parity = step("verify", "verify", root)
    rows = [] if parity is None else parity["rows"]
    bundle = Bundle.open(place)
    row["targets"] = {target: head_row(bundle, target, converted[target], rows) for target in TARGETS}
    return row


def evaluate(row: dict[str, Any]) -> None:
    """Attack one network whose bundle is still there, and note the scores."""
    root = str(WORK / row["network"])
    photos = ["--attacker-images", "40", "--test-images", "30"]
    large = int(row["input"].split("x")[1]) > LARGE
    attacks = [word for name in LIGHT for word in ("--attack", name)] if large else []
    done = ask("evaluate", root, "--effort", "quick", *photos, *attacks, "--json")
    told = done.pop("told")
    row["steps"]["evaluate"] = done
    if done["exit"] == 0:
        report = json.loads(told)
        row["pa"], row["pi"] = report["rows"][0]["pa"], (report["headline"] or {}).get("pi")
        row["bytes"], row["jpeg_bytes"] = report["message"]["mean"], report["message"]["jpeg"]


def table(rows: list[dict[str, Any]]) -> str:
    """Write the rows as Markdown."""
    columns = ("network", "cut, what crosses", "task, answers", *TARGETS, "served", "verified", "PA, PI", "memory")
    lines = [ABOUT, f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [_cell(row.get("targets", {}).get(target)) for target in TARGETS]
        steps = {**row["steps"], **{name: one["convert"] for name, one in row.get("targets", {}).items()}}
        failed = next((f"{name}: {done['error']}" for name, done in steps.items() if done.get("error")), "")
        verified = "yes" if steps.get("verify", {}).get("exit") == 0 else f"no: {failed}"
        score = "" if "pa" not in row else f"{row['pa']:.3f}, {'-' if row['pi'] is None else format(row['pi'], '.3f')}"
        served = steps.get("serve", {}).get("sqnr_db")
        served = "in verify" if served is None and verified == "yes" else f"{served} dB"
        most = max(one.get("peak_mb", 0) for one in steps.values())
        lines.append(
            f"| {row['network']}, {row['input']} | {row['cut']}, {' + '.join(row.get('crossing', []))} | "
            f"{row.get('task', '')}, {', '.join(row.get('outputs', []))} | {' | '.join(cells)} | {served} | "
            f"{verified} | {score} | {most / 1000:.1f} GB |"
        )
    return "\n".join(lines) + "\n"


def _cell(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    if found["convert"]["exit"]:
        return str(found["convert"]["error"]).removeprefix("error: ")
    if not found.get("passed"):
        return "; ".join(found.get("failed", ["not verified"]))
    delegated = f", {found['delegated']} of {found['operators']}" if found.get("delegated") is not None else ""
    return f"{found['sqnr_db']:.0f} dB{delegated}"


def _kept(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Put one row into the file, which another run may write to at the same time; returns all rows, in KINDS' order."""
    print(json.dumps(row), flush=True)
    rows = json.loads(RESULT.read_text())["rows"] if RESULT.is_file() else []
    order = [kind.name for kind in KINDS]
    rows = [one for one in rows if one["network"] != row["network"]] + [row]
    rows.sort(key=lambda one: order.index(one["network"]))
    stamped = {"rows": rows, "device": this_host().model_dump()}
    stamped["tools"] = tool_versions("torch", "torchvision", "timm", "executorch", "coremltools", "onnx")
    write_atomically(RESULT, (json.dumps(stamped, indent=1) + "\n").encode())
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description="Every verb on networks of every kind.")
    parser.add_argument("names", nargs="*", help="some of the networks; all without")
    parser.add_argument("--photos", type=Path, help="a folder of photos")
    parser.add_argument("--without-evaluate", action="store_true", help="leave the attacks to a later run")
    parser.add_argument("--table", action="store_true", help="only write the table")
    wanted = parser.parse_args()
    known = json.loads(RESULT.read_text())["rows"] if RESULT.is_file() else []
    for kind in () if wanted.table else KINDS:
        if wanted.names and kind.name not in wanted.names:
            continue
        row = next((one for one in known if one["network"] == kind.name), None)
        if row is None:
            row = try_network(kind, wanted.photos)
            known = _kept(row)
        if not wanted.without_evaluate and "targets" in row and "evaluate" not in row["steps"]:
            evaluate(row)
            known = _kept(row)
    write_atomically(RESULT.with_suffix(".md"), table(known).encode())
    return int(any(step.get("error") for row in known for step in row["steps"].values()))


if __name__ == "__main__":
    sys.exit(main())
