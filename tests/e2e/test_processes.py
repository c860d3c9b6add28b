"""Several processes train as one does: the same loss curve, and a checkpoint of either goes on in the other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from toolkit import plugins, protections
from toolkit.inference import smash
from toolkit.protections.base import Protection

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parents[1] / "process_training.py"
WAIST = SCRIPT.with_name("process_waist.py")
#: a key's bias b adds q_i b to all of row i of the scores q_i (k_j + b), and the softmax over j takes a constant out:
#: its true gradient is 0, so Adam, which divides by the gradient's size, moves it by the signs of rounding errors
UNSEEN = ("attention.key.bias",)
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
ROOT = Path(__file__).parents[2]


def trained(out: Path, *arguments: object, processes: int = 1, code: int = 0, script: Path = SCRIPT) -> list[float]:
    """Run the training in a process, or in several under torchrun on gloo, and return its loss curve."""
    out.mkdir(exist_ok=True)
    launch = [sys.executable]
    if processes > 1:
        launch += [*TORCHRUN, str(processes)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, str(script), str(out), *map(str, arguments)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == (code == 0), done.stderr[-3000:]
    return json.loads((out / "curve.json").read_text())


@pytest.mark.parametrize("method", ["pripro", "shredder", "cloak"])
def test_two_processes_train_as_one(method, tmp_path):
    one = trained(tmp_path / "one", method, 4)
    two = trained(tmp_path / "two", method, 4, processes=2)
    assert len(one) == len(two) == 4 * 5
    assert max(one) - min(one) > 0.05, "a curve that moves"
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) <= 1e-3
    first, second = (torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("one", "two"))
    apart = {name: (first[name] - second[name]).abs().max().item() for name in first if name not in UNSEEN}
    assert apart
    assert max(apart.values()) <= 1e-4, apart
    for state in (first, second):
        assert unseen_weights_change_nothing(method, state)


def unseen_weights_change_nothing(method: str, state: dict[str, torch.Tensor]) -> bool:
    """What a protection makes of some features is the same, up to rounding, wherever those weights lie."""
    moved = {name: value + 0.5 if name in UNSEEN else value for name, value in state.items()}
    return torch.allclose(*(protected(method, weights) for weights in (state, moved)), atol=1e-5)


def protected(method: str, state: dict[str, torch.Tensor]) -> torch.Tensor:
    protection = plugins.load(protections, "method", method, Protection).build((4, 6, 6))
    protection.load_state_dict(state)
    generator = torch.Generator().manual_seed(5)
    smashed = torch.rand(8, 4, 6, 6, generator=generator)
    with torch.no_grad():
        return smash(protection, smashed, generator)


def test_two_processes_that_were_stopped_are_resumed_by_one(tmp_path):
    whole = trained(tmp_path / "whole", "pripro", 4)
    begun = trained(tmp_path / "parts", "pripro", 4, 2, processes=2, code=1)
    rest = trained(tmp_path / "parts", "pripro", 4)
    assert len(begun) == len(rest) == 2 * 5
    assert max(abs(a - b) for a, b in zip(whole, begun + rest, strict=True)) <= 1e-3


#: biases that a normalisation takes out again, and its mean, which follows them: gradient 0, as above
TAKEN_OUT = ("decoder.local.bias", "decoder.overall.bias", "decoder.small.0.running_mean", "noise.attention.key.bias")


def waists_alike(one: Path, two: Path) -> None:
    first, second = (torch.load(folder / "weights.pt", weights_only=True) for folder in (one, two))
    apart = {name: (first[name] - second[name]).abs().max().item() for name in first if name not in TAKEN_OUT}
    assert max(apart.values()) <= 1e-4, sorted(apart.items(), key=lambda item: -item[1])[:3]


def test_two_processes_train_a_waist_with_head_and_tail_as_one(tmp_path):
    """Loss, rate, privacy, normalisation and steering are those of the whole batch; then one goes on from two."""
    names = [tmp_path / name for name in ("one", "two", "parts")]
    one = trained(names[0], "pripro", "all", 3, script=WAIST)
    two = trained(names[1], "pripro", "all", 3, processes=2, script=WAIST)
    assert len(one) == len(two) == 3 * 3
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) <= 1e-3
    begun = trained(names[2], "pripro", "all", 3, 2, processes=2, code=1, script=WAIST)
    rest = trained(names[2], "pripro", "all", 3, script=WAIST)
    assert max(abs(a - b) for a, b in zip(one, begun + rest, strict=True)) <= 1e-3
    waists_alike(names[0], names[1])
    waists_alike(names[0], names[2])


@pytest.mark.parametrize("method", ["adversarial", "nopeek"])
def test_two_processes_train_a_waist_against_an_opponent_or_with_photos_as_one(method, tmp_path):
    one = trained(tmp_path / "one", method, "waist", 2, script=WAIST)
    two = trained(tmp_path / "two", method, "waist", 2, processes=2, script=WAIST)
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) <= 1e-3
    waists_alike(tmp_path / "one", tmp_path / "two")


def test_a_head_that_is_trained_by_whole_batches_is_refused(tmp_path):
    out = tmp_path / "cem"
    out.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *TORCHRUN, "2", SCRIPT, out, "cem", "1"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "cem trains the head by statistics over whole batches" in done.stderr
