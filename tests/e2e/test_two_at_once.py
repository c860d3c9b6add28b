"""Two writing commands on one bundle, kills in between: it stays whole, and no finished work goes without a word."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import time
from pathlib import Path

import pytest
import torch
from forked_cli import Forked
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.families import digits_resnet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

#: rounds of each pair; 20 for the full claim
ROUNDS = int(os.environ.get("PRIPRO_PAIRS", "1"))
COMMANDS = {
    "partition": ["digits_resnet", "--input", "1x28x28", "--cut", "layer2", "--force", "-o"],
    "protect": ["--method", "gaussian", "--data", "digits", "--epochs", "1", "--anyway"],
    "convert": ["--to", "onnx"],
    "package": ["--goldens-count", "2"],
}

#: of one command
SECONDS = 300
WRITERS = tuple(COMMANDS)


def start(verb: str, root: Path) -> Forked:
    arguments = [*COMMANDS[verb], str(root)] if verb == "partition" else [str(root), *COMMANDS[verb]]
    return Forked([verb, *arguments], root.parent)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with everything in it."""
    folder = tmp_path_factory.mktemp("pairs")
    torch.manual_seed(0)
    save_file(digits_resnet.build(1, 10).state_dict(), folder / "w.safetensors")
    for verb in COMMANDS:
        done = start(verb, folder / "bundle").wait(SECONDS)
        assert done.returncode == 0, done.stderr
    return folder / "bundle"


def whole(root: Path) -> None:
    Bundle.open(root).check_files()


@pytest.mark.parametrize("pair", list(itertools.combinations_with_replacement(WRITERS, 2)), ids="-".join)
def test_two_commands_leave_a_whole_bundle(pair: tuple[str, str], ready: Path, tmp_path: Path):
    """In either order; every fourth time the first one is killed.

    Both may succeed, one behind the other; both may never be refused: each takes the lock once, so the one that is
    refused for what another has written, or is writing, has met one that goes on.
    """
    draw = random.Random(repr(pair))
    for number in range(ROUNDS):
        root = Path(shutil.copytree(ready, tmp_path / str(number)))
        one, other = draw.sample(pair, 2)
        first = start(one, root)
        time.sleep(draw.uniform(0, draw.choice([0.2, 1.0, 3.0])))
        second = start(other, root)
        if number % 4 == 3:
            first.kill()
            ended = second.wait(SECONDS)
            assert ended.returncode in (0, 2), ended.stderr
            whole(root)
            shutil.rmtree(root)
            continue
        done = [process.wait(SECONDS) for process in (first, second)]
        said, codes = [each.stderr for each in done], [each.returncode for each in done]
        print((one, other), number, codes, [text.replace("\n", " | ")[-160:] for text in said], flush=True)
        whole(root)
        assert 0 in codes, said
        for code, text in zip(codes, said, strict=True):
            assert code in (0, 2), text
            assert "Traceback" not in text
            if code == 2:
                assert any(words in text for words in ("nother pripro", "not protected yet")), text
        shutil.rmtree(root)


@pytest.mark.parametrize("verb", WRITERS)
def test_a_kill_in_between_holds_nobody_up(verb: str, ready: Path, tmp_path: Path):
    draw = random.Random(verb)
    root = Path(shutil.copytree(ready, tmp_path / "bundle"))
    for _ in range(max(ROUNDS // 2, 1)):
        process = start(verb, root)
        time.sleep(draw.uniform(0.1, 2.0))
        process.kill()
        whole(root)
    done = start("protect", root).wait(SECONDS)
    assert done.returncode == 0, done.stderr
    whole(root)
    done = start(verb, root).wait(SECONDS)
    assert done.returncode == 0, done.stderr
    whole(root)
