"""Random command lines on bundles in every state: exit codes 0, 1, 2 or 130, no traceback, the bundle still opens."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from forked_cli import Forked
from PIL import Image
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.families import digits_resnet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
#: 300 for the full claim
COUNT = int(os.environ.get("PRIPRO_FUZZ", "24"))
#: of one command until it gets a Ctrl-C, at most, and from there to its end
PATIENCE, MOST_SECONDS = 20, 180
NOBODY = 65534
STATES = (
    "fresh",
    "protected",
    "half packaged",
    "packaged",
    "moved",
    "read-only",
    "other user",
    "no manifest",
    "half manifest",
    "no program",
)
ODD = (
    *("", " ", "nothing", "-1", "0", "1e999", "nan", "ünïcode", "../..", "a" * 300, "1%", "101%", "folder:"),
    *(
        "csv:x.csv:y",
        "inf",
        "²",
        "1,,2",
        ",",
        "a=nan",
        "9" * 30,
        "{bundle}",
        "{photos}",
        "{file}",
        "onnx",
        "tflite,onnx",
        "onnx,,",
        "fp32",
        "int7",
    ),
    "http://127.0.0.1:1/",
)
#: verb -> its options, each with a value that fits
OPTIONS = {
    "cuts": {"--input": "1x28x28", "--classes": "10", "--crossing": "2"},
    "partition": {
        "--cut": "layer1", "--out": "{bundle}", "--input": "1x28x28", "--weights": "{file}", "--labels": "{file}",
        "--mean": "0.5", "--resize": "pad", "--data": "digits", "--task": "any", "--std": "0.5", "--shorter-side": "32",
        "--interpolation": "nearest", "--order": "BGR", "--value-range": "255", "--classes": "10", "--crossing": "2",
    },
    "protect": {
        "--method": "gaussian", "--data": "digits", "--max-accuracy-drop": "1%", "--min-pi": "0.5", "--epochs": "1",
        "--batch-size": "32", "--option": "scale=2", "--seed": "1", "--train": "waist", "--channels": "4",
        "--stride": "7", "--max-bytes": "9", "--answer": "class", "--noise": "fresh",
        "--encoder": "deep", "--encoder-work": "50%",
        "--device": "cpu", "--precision": "fp32",
    },
    "convert": {"--to": "onnx", "--precision": "int8", "--backend": "cpu", "--wire": "uint8", "--data": "digits"},
    "package": {
        "--name": "t", "--goldens": "{photos}", "--goldens-count": "2", "--tail-precision": "int8",
        "--max-tail-drop": "1%", "--data": "digits", "--seed": "1",
    },
    "lint": {"--backend": "onnx-cpu", "--fail-on": "fallback", "--runtime": "onnxruntime=1.20"},
    "serve": {"--port": "0", "--host": "127.0.0.1"},
    "verify": {
        "--tail": "http://127.0.0.1:1/", "--explain": "onnx", "--device-report": "{file}",
        "--token": "x", "--data": "digits", "--to": "onnx",
    },
    "measure": {
        "--threads": "1", "--target": "onnx", "--samples": "40", "--device": "adb", "--runner": "{file}",
        "--device-report": "{file}", "--seconds": "0.1", "--precision": "fp32",
    },
    "evaluate": {
        "--data": "digits", "--attribute": "slant", "--effort": "quick", "--observations": "2",
        "--attacker-images": "40", "--seed": "1", "--attack": "attribute", "--compare": "gaussian", "--wire": "uint8",
    },
    "plan": {
        "--bandwidth": "10Mbps", "--rtt": "20ms", "--target": "onnx", "--measured": "3", "--bundle": "{bundle}",
        "--phone-factor": "2", "--server-factor": "2", "--min-pi": "0.5", "--max-drop": "1%", "--compute-watts": "2",
        "--radio-watts": "1", "--encoding": "fp16", "--threads": "1", "--trace": "{file}", "--photos": "{photos}",
    },
    "sweep": {"--jobs": "1", "--out": "{photos}"},
    "bench": {
        "--data": "digits", "--cut": "layer2", "--out": "{photos}", "--input": "1x28x28", "--seeds": "0,1",
        "--method": "gaussian", "--table": "{photos}", "--train": "waist", "--effort": "quick", "--mean": "0.5",
    },
    "report": {},
    "demo-app": {"--app": "{photos}"},
    "run": {},
    "doctor": {},
}  # fmt: skip
#: so that what would work does not take minutes
BRIEF = {
    "protect": ["--epochs", "1"],
    "measure": ["--quick"],
    "evaluate": ["--attacker-images", "40", "--test-images", "20", "--compare", ""],
    "plan": ["--measured", "3"],
}


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("states")
    torch.manual_seed(0)
    save_file(digits_resnet.build(1, 10).state_dict(), folder / "w.safetensors")
    roots = {name: folder / name for name in ("fresh", "protected", "packaged", "half packaged", "moved")}
    fresh, protected, packaged, half, moved = map(str, roots.values())

    def did(*words: str) -> None:
        done = Forked(list(words), folder).wait(600)
        assert done.returncode == 0, done.stderr

    did("partition", "digits_resnet", "--input", "1x28x28", "--cut", "layer2", "-o", fresh)
    shutil.copytree(fresh, protected)
    did("protect", protected, "--method", "gaussian", "--data", "digits", "--anyway")
    shutil.copytree(protected, packaged)
    did("convert", packaged, "--to", "onnx")
    shutil.copytree(packaged, half)
    did("package", packaged, "--goldens-count", "2")
    # what a killed package leaves: files in their places and in the works that no manifest names
    for room in ("tail", "golden"):
        shutil.copytree(roots["packaged"] / room, roots["half packaged"] / room)
        shutil.copytree(roots["packaged"] / room, roots["half packaged"] / ".staging" / "tmp1" / room)
    # protected with photos that are no longer where they were
    photos = folder / "photos"
    noise = np.random.default_rng(0)
    for label in range(10):
        (photos / str(label)).mkdir(parents=True)
        for number in range(12):
            pixels = noise.integers(0, 256, (28, 28), dtype=np.uint8)
            Image.fromarray(pixels).save(photos / str(label) / f"{number}.png")
    shutil.copytree(fresh, moved)
    did("protect", moved, "--method", "gaussian", "--data", f"folder:{photos}", "--anyway")
    did("convert", moved, "--to", "onnx")
    photos.rename(folder / "photos elsewhere")
    return roots


def run(words: list[str], folder: Path, patience: float, *, bound: bool) -> subprocess.CompletedProcess[str]:
    return Forked(words, folder, bound=bound).wait(MOST_SECONDS, patience)


def in_state(state: str, states: dict[str, Path], folder: Path) -> Path:
    source = states.get(state, states["packaged"])
    root = Path(shutil.copytree(source, folder / ("elsewhere" if state == "moved" else "bundle")))
    if state == "read-only":
        for path in [root, *root.rglob("*")]:
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    elif state == "other user":
        for path in [root, *root.rglob("*")]:
            path.chmod(path.stat().st_mode & ~(stat.S_IWGRP | stat.S_IWOTH))
            if os.geteuid() == 0:
                os.chown(path, NOBODY, NOBODY)
    elif state == "no manifest":
        (root / "manifest.json").unlink()
    elif state == "half manifest":
        path = root / "manifest.json"
        path.write_bytes(path.read_bytes()[:400])
    elif state == "no program":
        next((root / "model").rglob("program.pt2")).unlink()
    return root


def words_of(draw: random.Random, root: Path, folder: Path) -> list[str]:
    verb = draw.choice(list(OPTIONS))
    fill = {"bundle": str(root), "photos": str(folder / "photos"), "file": str(folder / "odd.bin")}
    words = [verb]
    if verb in ("cuts", "plan", "partition"):
        words.append(draw.choice(["digits_resnet", "resnet18", "no_such_net", str(folder / "odd.bin"), "os:getcwd"]))
        words += draw.choice([[], ["--input", "1x28x28"], ["--input", "3x32x32"]])
        if verb == "partition":  # where most of it is right, it works on the bundle that is there
            there = ["--cut", "layer2", "-o", str(root)]
            words += draw.choice([[], there, [*there, "--force"]])
    elif verb == "bench":
        words += ["digits_resnet", "--out", str(folder / "cells")]
    elif verb in ("run", "sweep"):
        words.append(draw.choice([str(folder / "odd.bin"), "missing.toml", str(root)]))
    elif verb == "demo-app":
        words += [draw.choice(["android", "ios", "windows"]), str(root), "--app", str(folder)]
    elif verb != "doctor":
        words.append(str(root))
    words += BRIEF.get(verb, []) if draw.random() < 0.8 else []
    options = OPTIONS[verb]
    for option in draw.sample(list(options), k=min(len(options), draw.choice([0, 1, 1, 2, 3]))):
        words += [option, draw.choice([draw.choice(ODD), options[option]]).format(**fill)]
    return [*words, "--json"] if draw.random() < 0.3 and verb not in ("report", "demo-app") else words


def test_whatever_is_typed_ends_in_a_sentence(states: dict[str, Path], tmp_path: Path):
    seed = int(os.environ.get("PRIPRO_FUZZ_SEED", "0"))
    bad = []
    for number in range(COUNT):
        draw = random.Random(f"{seed} {number}")  # so that one case can be had alone
        folder = tmp_path / str(number)
        (folder / "photos" / "a").mkdir(parents=True)
        (folder / "odd.bin").write_bytes(draw.randbytes(100))
        (folder / "photos" / "a" / "broken.png").write_bytes(b"\x89PNG")
        state = STATES[number % len(STATES)]
        root = in_state(state, states, folder)
        words = words_of(draw, root, folder)
        done = run(words, folder, draw.uniform(1, PATIENCE), bound=state in ("read-only", "other user"))
        said = f"{number}, {state}: pripro {' '.join(words)!r} -> {done.returncode}: {done.stderr[-700:]}"
        print(said.replace("\n", " | ")[:400], flush=True)
        if done.returncode not in (0, 1, 2, 130) or "Traceback" in done.stderr + done.stdout:
            bad.append(said)
        if done.returncode == 130 and "interrupted; " not in done.stderr:
            bad.append(said)
        if state not in ("no manifest", "half manifest", "no program"):
            Bundle.open(root).check_files()
        shutil.rmtree(folder)
    assert not bad, "\n\n".join(bad)
