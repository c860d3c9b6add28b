"""Random command lines on bundles in every state: exit codes 0, 1, 2 or 130, no traceback, the bundle still opens."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.families import digits_resnet

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400)]
#: 300 for the full claim
COUNT = int(os.environ.get("PRIPRO_FUZZ", "24"))
NOBODY = 65534
STATES = (
    "fresh",
    "protected",
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
    *("csv:x.csv:y", "{bundle}", "{photos}", "{file}", "onnx", "tflite,onnx", "onnx,,", "fp32", "int7"),
    "http://127.0.0.1:1/",
)
OPTIONS = {
    "cuts": ["--input", "--weights", "--classes"],
    "partition": ["--cut", "--out", "--input", "--weights", "--labels", "--mean", "--resize"],
    "protect": [
        "--method",
        "--data",
        "--max-accuracy-drop",
        "--min-pi",
        "--epochs",
        "--batch-size",
        "--option",
        "--seed",
    ],
    "convert": ["--to", "--precision", "--backend", "--wire"],
    "package": ["--name", "--goldens", "--goldens-count", "--tail-precision", "--max-tail-drop"],
    "verify": ["--tail", "--to", "--explain", "--device-report", "--token"],
    "measure": ["--threads", "--target", "--samples", "--device", "--runner", "--device-report"],
    "evaluate": ["--data", "--task", "--observations", "--attacker-images", "--seed"],
    "plan": ["--bandwidth", "--rtt", "--target", "--measured", "--bundle"],
    "report": [],
    "demo-app": ["--app"],
    "run": [],
}
#: so that what would work does not take minutes
BRIEF = {
    "protect": ["--epochs", "1"],
    "measure": ["--quick"],
    "evaluate": ["--attacker-images", "40", "--test-images", "20", "--compare", ""],
    "plan": ["--measured", "2"],
}


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("states")
    torch.manual_seed(0)
    save_file(digits_resnet.build(1, 10).state_dict(), folder / "w.safetensors")
    roots = {name: folder / name for name in ("fresh", "protected", "packaged")}
    fresh, protected, packaged = map(str, roots.values())

    def did(*words: str) -> None:
        done = run(list(words), folder)
        assert done.returncode == 0, done.stderr

    did("partition", "digits_resnet", "--input", "1x28x28", "--cut", "layer2", "-o", fresh)
    shutil.copytree(fresh, protected)
    did("protect", protected, "--method", "gaussian", "--data", "digits", "--anyway")
    shutil.copytree(protected, packaged)
    did("convert", packaged, "--to", "onnx")
    did("package", packaged, "--goldens-count", "2")
    return roots


@pytest.fixture(scope="module")
def nobody() -> bool:
    """Whether commands can run as a user without rights; root may write whatever the mode bits say."""
    if os.geteuid() != 0:
        return False
    asked = [sys.executable, "-c", "import toolkit"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        return subprocess.run(asked, user=NOBODY, env=environment, cwd="/", check=False).returncode == 0
    except OSError:
        return False


def run(words: list[str], folder: Path, user: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "toolkit.cli.main", *words],
        cwd=folder, capture_output=True, text=True, check=False, timeout=600, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        user=user,
    )  # fmt: skip


def in_state(state: str, states: dict[str, Path], folder: Path) -> Path:
    source = states.get(state, states["packaged"])
    root = Path(shutil.copytree(source, folder / ("elsewhere" if state == "moved" else "bundle")))
    if state in ("read-only", "other user"):
        for path in [root, *root.rglob("*")]:
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
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
    elif verb == "run":
        words.append(draw.choice([str(folder / "odd.bin"), "missing.toml", str(root)]))
    elif verb == "demo-app":
        words += [draw.choice(["android", "ios", "windows"]), str(root), "--app", str(folder)]
    else:
        words.append(str(root))
    words += BRIEF.get(verb, []) if draw.random() < 0.8 else []
    for option in draw.sample(OPTIONS[verb], k=min(len(OPTIONS[verb]), draw.choice([0, 1, 1, 2, 3]))):
        words += [option, draw.choice(ODD).format(**fill)]
    return [*words, "--json"] if draw.random() < 0.3 and verb not in ("report", "demo-app") else words


def test_whatever_is_typed_ends_in_a_sentence(states: dict[str, Path], nobody: bool, tmp_path: Path):
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    draw = random.Random(int(os.environ.get("PRIPRO_FUZZ_SEED", "0")))
    bad = []
    for number in range(COUNT):
        folder = tmp_path / str(number)
        (folder / "photos" / "a").mkdir(parents=True)
        (folder / "odd.bin").write_bytes(draw.randbytes(100))
        (folder / "photos" / "a" / "broken.png").write_bytes(b"\x89PNG")
        folder.chmod(0o777)
        state = draw.choice(STATES)
        root = in_state(state, states, folder)
        whole = state not in ("no manifest", "half manifest", "no program")
        words = words_of(draw, root, folder)
        done = run(words, folder, NOBODY if nobody and state in ("read-only", "other user") else None)
        said = f"{state}: pripro {' '.join(words)!r} -> {done.returncode}: {done.stderr[-700:]}"
        if done.returncode not in (0, 1, 2, 130) or "Traceback" in done.stderr + done.stdout:
            bad.append(said)
        if whole:
            Bundle.open(root).check_files()
        for path in [root, *root.rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
        shutil.rmtree(folder)
    assert not bad, "\n\n".join(bad)
